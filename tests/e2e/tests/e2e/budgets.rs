//! Methods with a budget of their own, which the deployment must allow.

use e2e::{App, Language};

use crate::answers::{role, with_roles};

/// Returns a program that asks with these arguments, and the service that it asks, with a key.
fn app(language: Language, key: &str, arguments: &[&str]) -> App {
    let answers = role(language, "answers").replace("budget_max = \"400ms\"\n", key);
    with_roles(App::new(&format!(
        "[service.answers]\n{answers}[service.desk]\n{}[program.asker]\n{}args = {arguments:?}\n",
        role(Language::Rust, "desk"),
        role(Language::Rust, "asker"),
    )))
}

#[test]
fn a_method_has_the_budget_that_the_deployment_allows() {
    for language in Language::EACH {
        for (question, budget, method) in [
            ("a/spin", "50 ms", "Ask"),
            ("again/spin", "400 ms", "AskAgain"),
        ] {
            let ended = app(language, "budget_max = \"400ms\"\n", &[question]).run();
            let told = format!(
                "was killed: held its thread beyond its budget of {budget} in \
                 answers.v1.Answers/{method}"
            );
            let is_told =
                |line: &e2e::Line| line.guest == "answers" && line.message.starts_with(&told);
            assert!(ended.log().iter().any(is_told), "{told}: {}", ended.stderr);
        }
    }
}

#[test]
fn a_method_with_a_larger_budget_is_refused() {
    for language in Language::EACH {
        for (key, budget_max) in [("", "50ms"), ("budget_max = \"399ms\"\n", "399ms")] {
            for subcommand in ["run", "check"] {
                let ended = app(language, key, &[]).run_subcommand(subcommand, &[]);
                let problem = format!(
                    "`answers` declares a budget of 400ms for answers.v1.Answers/AskAgain, and its \
                     `budget_max` is {budget_max}"
                );
                let help = "write `budget_max = \"400ms\"` in its table";
                for part in [&*problem, help] {
                    assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
                }
                assert_eq!(ended.status, Some(3), "{}", ended.stderr);
            }
        }
    }
}
