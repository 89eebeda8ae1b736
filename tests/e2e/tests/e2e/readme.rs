//! What README.md shows is what there is.

use std::path::Path;

use e2e::{App, Ended, Nats, Started, example, parigot_run, parigot_with, root};

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).expect("there is a README")
}

/// The code blocks of README.md: the line that leads to each, and its text.
fn blocks(readme: &str) -> Vec<(&str, &str)> {
    let mut blocks = Vec::new();
    let mut rest = readme;
    while let Some((before, after)) = rest.split_once("\n```") {
        let (block, next) = after.split_once("\n```\n").expect("the block is closed");
        let (_, text) = block
            .split_once('\n')
            .expect("the block begins with its language");
        blocks.push((before.trim_end().lines().last().unwrap_or_default(), text));
        rest = next;
    }
    blocks
}

/// What the `number`th console session of README.md shows of `parigot run`: output and exit status.
fn session(number: usize) -> (String, i32) {
    let readme = readme();
    let mut sessions = blocks(&readme)
        .into_iter()
        .filter_map(|(_, text)| text.strip_prefix("$ parigot run helloworld.toml\n"));
    let session = sessions.nth(number).expect("there are that many sessions");
    let (output, status) = session
        .split_once("\n$ echo $?\n")
        .expect("the status is shown");
    (
        output.to_owned(),
        status.parse().expect("a status is a number"),
    )
}

#[track_caller]
fn check_session(number: usize, ended: &Ended) {
    let (output, status) = session(number);
    assert_eq!(ended.status, Some(status));
    assert_eq!(without_chance(&ended.stderr), without_chance(&output));
}

/// The log without what differs from run to run: times, and ids behind their `ins_`.
fn without_chance(log: &str) -> String {
    let word = |word: &str| match word {
        time if time.len() == 24 && time.ends_with('Z') => "TIME".to_owned(),
        instance if instance.starts_with("ins_") => "ins_".to_owned(),
        word => word.to_owned(),
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    log.trim_end()
        .lines()
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn files_are_shown_as_they_begin() {
    let readme = readme();
    let mut shown = Vec::new();
    for (lead, text) in blocks(&readme) {
        let Some((_, path)) = lead
            .strip_suffix("):")
            .and_then(|lead| lead.split_once("]("))
        else {
            continue;
        };
        let file = std::fs::read_to_string(root().join(path))
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(
            file.starts_with(text),
            "README.md shows another text than {path}"
        );
        shown.push(
            Path::new(path)
                .file_name()
                .and_then(|name| name.to_str())
                .expect("the file has a name"),
        );
    }
    assert_eq!(
        shown,
        ["greeting.proto", "lib.rs", "lib.rs", "helloworld.toml"]
    );
}

#[test]
fn the_output_is_shown_as_it_is() {
    check_session(
        0,
        &Started::new(parigot_run(Path::new("helloworld.toml")).current_dir(example())).wait(),
    );
}

#[test]
fn the_same_as_several_processes_is_shown_as_it_is() {
    let file = std::fs::read_to_string(example().join("helloworld-apart.toml"))
        .expect("the example has it");
    let readme = readme();
    let shown = blocks(&readme)
        .into_iter()
        .any(|(_, text)| text.contains("[network]") && file.trim_end().ends_with(text));
    assert!(
        shown,
        "README.md shows another text than helloworld-apart.toml has:\n{file}"
    );

    let build = format!("{}/build/", example().display());
    let nats = Nats::start();
    let file = file
        .replace("build/", &build)
        .replace("nats://127.0.0.1:4222", &nats.url());
    let ended = App::new("").with("app.toml", file).run();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    // On a machine that is busy there are warnings of who waits for whom.
    let lines: Vec<_> = ended
        .stderr
        .lines()
        .filter(|line| line.contains(" INFO  "))
        .collect();
    let session = without_chance(&format!(
        "$ parigot run helloworld-apart.toml\n{}",
        lines.join("\n")
    ));
    assert!(
        blocks(&readme)
            .iter()
            .any(|(_, text)| without_chance(text) == session),
        "{session}"
    );
}

#[test]
fn what_can_be_known_before_a_run_is_shown_as_it_is() {
    let ask = |subcommand| {
        let mut command = parigot_with(subcommand, Path::new("helloworld.toml"));
        Started::new(command.current_dir(example())).wait().stdout
    };
    let (check, graph) = (ask("check"), ask("graph"));
    let session =
        format!("$ parigot check helloworld.toml\n{check}$ parigot graph helloworld.toml\n{graph}");
    assert!(
        blocks(&readme())
            .iter()
            .any(|(_, text)| *text == session.trim_end()),
        "{session}"
    );
}

#[test]
fn the_mistake_is_shown_as_it_is() {
    let text = std::fs::read_to_string(example().join("helloworld.toml"))
        .expect("the example has a deployment");
    let app = App::new("").with(
        "helloworld.toml",
        text.replace("wasm = \"build/hello", "wsam = \"build/hello"),
    );
    check_session(
        1,
        &Started::new(parigot_run(Path::new("helloworld.toml")).current_dir(app.folder())).wait(),
    );
}

#[test]
fn the_test_is_shown_as_it_runs() {
    let readme = readme();
    let shown = blocks(&readme)
        .into_iter()
        .find_map(|(_, text)| text.contains("TestHost::").then_some(text));
    let shown = shown
        .expect("README.md shows a test")
        .replace(r#""../helloworld.toml""#, "helloworld()");
    let tests = std::fs::read_to_string(root().join("tests/e2e/tests/e2e/test_host/mod.rs"))
        .expect("the tests are there");
    assert!(
        tests.contains(&shown),
        "README.md shows another test than test_host.rs:\n{shown}"
    );
}
