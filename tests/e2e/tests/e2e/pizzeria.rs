//! The pizzeria example, run as a user would.

use std::path::Path;

use e2e::{App, Ended, Started, parigot_run, parigot_with, pizzeria};

fn file(name: &str) -> String {
    std::fs::read_to_string(pizzeria().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Runs the example with an order for this pizza.
fn order(pizza: &str) -> Ended {
    let deployment = file("pizzeria.toml")
        .replace("build/", &format!("{}/build/", pizzeria().display()))
        .replace("margherita", pizza);
    let elsewhere = App::new("").with("pizzeria.toml", deployment);
    Started::new(parigot_run(Path::new("pizzeria.toml")).current_dir(elsewhere.folder())).wait()
}

fn run_subcommand(subcommand: &str) -> String {
    Started::new(parigot_with(subcommand, Path::new("pizzeria.toml")).current_dir(pizzeria()))
        .wait()
        .stdout
}

/// Returns the ticket in the customer's lines.
fn ticket(log: &str) -> &str {
    let (_, after) = log
        .split_once("ordered a margherita: ")
        .unwrap_or_else(|| panic!("nothing was ordered:\n{log}"));
    after.lines().next().unwrap_or_default()
}

#[test]
fn the_readme_shows_the_log() {
    let ended =
        Started::new(parigot_run(Path::new("pizzeria.toml")).current_dir(pizzeria())).wait();
    let found: String = ended
        .log()
        .iter()
        .map(|line| format!("{:<8}  {}\n", line.guest, line.message))
        .collect();
    let readme = file("README.md");
    let shown = readme
        .split("```text\n")
        .nth(2)
        .expect("README.md must show a drawing, and then the log");
    let (shown, _) = shown.split_once("```").expect("the block must be closed");
    assert!(ticket(&found).starts_with("tkt_"), "{found}");
    assert_eq!(found, shown.replace(ticket(shown), ticket(&found)));
    assert_eq!(ended.status, Some(0));
}

#[test]
fn the_kitchens_error_ends_the_program() {
    for (pizza, why) in [("tartufo", "SoldOut"), ("hawaii", "NotOnMenu")] {
        let ended = order(pizza);
        assert_eq!(
            ended.messages_of("customer"),
            [format!("exited with status 1: {why}")],
            "{}",
            ended.stderr
        );
        assert_eq!(ended.status, Some(1));
    }
}

#[test]
fn check_and_graph_show_the_example() {
    assert_eq!(
        run_subcommand("check"),
        "pizzeria.toml: its 4 guests fit, launched in this order:\n   1  pantry, riders\n   2  \
         kitchen\n   3  customer\n"
    );
    assert_eq!(
        run_subcommand("graph"),
        "step   guest             requires\n\
         1      service pantry    -\n\
         1      service riders    -\n\
         2      service kitchen   -> pantry   pantry.v1.Pantry\n\
         3      program customer  -> kitchen  kitchen.v1.Kitchen\n                         -> \
         riders   riders.v1.Riders\n"
    );
}
