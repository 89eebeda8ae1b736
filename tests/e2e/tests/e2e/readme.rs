//! Checks README.md and the user guide in docs/src against the examples and the command.

use std::path::Path;

use e2e::{App, Ended, Nats, Started, example, parigot_run, parigot_with, root};

const GUIDE: &str = "docs/src";

/// Returns a page of the repository, with every include of mdBook replaced by its text.
fn page(path: &str) -> String {
    let folder = root().join(path);
    let folder = folder.parent().expect("a page lies in a folder");
    let mut page = String::new();
    for line in read(path).lines() {
        match line
            .strip_prefix("{{#include ")
            .and_then(|line| line.strip_suffix("}}"))
        {
            Some(include) => page += &included(folder, include),
            None => page += line,
        }
        page.push('\n');
    }
    page
}

/// Returns the text of an include: a whole file, or the part between two anchors.
fn included(folder: &Path, include: &str) -> String {
    let (path, anchor) = match include.split_once(':') {
        Some((path, anchor)) => (path, Some(anchor)),
        None => (include, None),
    };
    let file = std::fs::read_to_string(folder.join(path))
        .unwrap_or_else(|error| panic!("{include}: {error}"));
    let Some(anchor) = anchor else {
        return file.trim_end().to_owned();
    };
    let is = |line: &&str, word: &str| line.trim().ends_with(&format!("{word}: {anchor}"));
    let lines: Vec<_> = file
        .lines()
        .skip_while(|line| !is(line, "ANCHOR"))
        .skip(1)
        .take_while(|line| !is(line, "ANCHOR_END"))
        .collect();
    // mdBook would show an empty block without a warning.
    assert!(!lines.is_empty(), "{include} has no such anchor");
    lines.join("\n").trim_end().to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the names of all pages of the guide.
fn guide() -> Vec<String> {
    let files = std::fs::read_dir(root().join(GUIDE)).expect("the guide has a folder");
    let name = |file: std::io::Result<std::fs::DirEntry>| {
        let name = file.expect("the folder can be read").file_name();
        name.into_string().expect("a page's name is text")
    };
    files.map(name).collect()
}

/// A code block of a page.
struct Block<'a> {
    /// The line before the block.
    lead: &'a str,
    language: &'a str,
    text: &'a str,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("\n```") {
        let (block, next) = after.split_once("\n```\n").expect("a block must be closed");
        let (language, text) = block
            .split_once('\n')
            .expect("a block must begin with its language");
        let lead = before.trim_end().lines().last().unwrap_or_default();
        blocks.push(Block {
            lead,
            language,
            text,
        });
        rest = next;
    }
    blocks
}

/// Returns the path linked at the end of a lead, as in `From [greeting.proto](examples/…):`.
fn linked_path<'a>(lead: &'a str, prefix: &str) -> Option<&'a str> {
    let (_, path) = lead.strip_suffix("):")?.rsplit_once("](")?;
    path.strip_prefix(prefix)
}

fn file_name(path: &str) -> String {
    let name = Path::new(path).file_name().and_then(|name| name.to_str());
    name.expect("a path ends with a name").to_owned()
}

/// Returns output and exit status of the first session with `parigot run` on a page.
fn session(path: &str) -> (String, i32) {
    let page = page(path);
    let blocks = blocks(&page);
    let session = blocks
        .iter()
        .find_map(|block| block.text.strip_prefix("$ parigot run helloworld.toml\n"))
        .expect("the page must have a session");
    let (output, status) = session
        .split_once("\n$ echo $?\n")
        .expect("the session must show the status");
    (
        output.to_owned(),
        status.parse().expect("a status must be a number"),
    )
}

#[track_caller]
fn check_session(path: &str, ended: &Ended) {
    let (output, status) = session(path);
    assert_eq!(ended.status, Some(status));
    assert_eq!(without_chance(&ended.stderr), without_chance(&output));
}

/// Returns the log without times and ids, which differ from run to run.
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
fn the_readme_shows_lines_of_the_example() {
    let readme = page("README.md");
    let mut shown = Vec::new();
    for block in blocks(&readme) {
        let Some(path) = linked_path(block.lead, "") else {
            continue;
        };
        let file = read(path);
        let mut lines = file.lines();
        for line in block.text.lines() {
            assert!(
                lines.any(|next| next == line),
                "README.md shows a line that {path} does not have in this order: {line}"
            );
        }
        shown.push(file_name(path));
    }
    assert_eq!(shown, ["greeting.proto", "lib.rs", "helloworld.toml"]);
}

#[test]
fn the_guide_shows_whole_files() {
    let mut shown = Vec::new();
    for name in ["getting-started-rust.md", "getting-started-go.md"] {
        let page = page(&format!("{GUIDE}/{name}"));
        for block in blocks(&page) {
            let Some(path) = linked_path(block.lead, "../../") else {
                continue;
            };
            assert_eq!(block.text, read(path).trim_end(), "{name} shows {path}");
            shown.push(file_name(path));
        }
    }
    let rust = ["greeting.proto", "lib.rs", "lib.rs", "helloworld.toml"];
    let go = ["main.go", "main.go"];
    assert_eq!(shown, [&rust[..], &go[..]].concat());
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = read(&format!("{GUIDE}/SUMMARY.md"));
    for name in guide() {
        assert!(
            name == "SUMMARY.md" || summary.contains(&format!("]({name})")),
            "{name} is missing in SUMMARY.md"
        );
    }
}

#[test]
fn code_in_the_guide_is_included() {
    for name in guide() {
        let path = format!("{GUIDE}/{name}");
        // Fails if an include finds no file or no anchor.
        page(&path);
        let source = read(&path);
        for block in blocks(&source) {
            let is_code = ["rust", "rust,ignore", "go", "proto"].contains(&block.language);
            assert!(
                !is_code || block.text.starts_with("{{#include "),
                "{name} has code that is not compiled:\n{}",
                block.text
            );
        }
    }
}

#[test]
fn the_output_is_shown_as_it_is() {
    let ended =
        Started::new(parigot_run(Path::new("helloworld.toml")).current_dir(example())).wait();
    check_session("README.md", &ended);
    check_session("docs/src/getting-started-rust.md", &ended);
}

#[test]
fn the_output_of_several_processes_is_shown_as_it_is() {
    let file = std::fs::read_to_string(example().join("helloworld-apart.toml"))
        .expect("the example must have the file");
    let page = page("docs/src/processes.md");
    let blocks = blocks(&page);
    assert!(
        blocks.iter().any(|block| block.text == file.trim_end()),
        "processes.md shows another text than helloworld-apart.toml has:\n{file}"
    );

    let build = format!("{}/build/", example().display());
    let nats = Nats::start();
    let file = file
        .replace("build/", &build)
        .replace("nats://127.0.0.1:4222", &nats.url());
    let ended = App::new("").with("app.toml", file).run();
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    // A busy machine adds warnings about guests that wait for others, and the processes log at the
    // same time.
    let sorted = |session: &str| {
        let session = without_chance(session);
        let mut lines: Vec<_> = session.lines().map(str::to_owned).collect();
        lines.retain(|line| line.starts_with('$') || line.contains(" INFO  "));
        lines.sort_unstable();
        lines
    };
    let session = sorted(&format!(
        "$ parigot run helloworld-apart.toml\n{}",
        ended.stderr
    ));
    assert!(
        blocks.iter().any(|block| sorted(block.text) == session),
        "{session:#?}"
    );
}

#[test]
fn check_and_graph_are_shown_as_they_are() {
    let ask = |subcommand| {
        let mut command = parigot_with(subcommand, Path::new("helloworld.toml"));
        Started::new(command.current_dir(example())).wait().stdout
    };
    let check = ask("check");
    let graph = ask("graph");
    let session =
        format!("$ parigot check helloworld.toml\n{check}$ parigot graph helloworld.toml\n{graph}");
    assert!(
        blocks(&page("docs/src/commands.md"))
            .iter()
            .any(|block| block.text == session.trim_end()),
        "{session}"
    );
}

#[test]
fn the_config_error_is_shown_as_it_is() {
    let text = std::fs::read_to_string(example().join("helloworld.toml"))
        .expect("the example must have a deployment");
    let app = App::new("").with(
        "helloworld.toml",
        text.replace("wasm = \"build/hello", "wsam = \"build/hello"),
    );
    check_session(
        "docs/src/deployment-file.md",
        &Started::new(parigot_run(Path::new("helloworld.toml")).current_dir(app.folder())).wait(),
    );
}

#[test]
fn the_test_is_shown_as_it_runs() {
    let page = page("docs/src/testing-rust.md");
    let blocks = blocks(&page);
    let shown = blocks
        .iter()
        .find(|block| block.text.contains("TestHost::deployment"))
        .expect("testing-rust.md must show a test");
    let tests = read("tests/e2e/tests/e2e/test_host/mod.rs");
    assert!(
        shown.text.starts_with("#[test]\n") && tests.contains(shown.text),
        "testing-rust.md shows another test than test_host.rs:\n{}",
        shown.text
    );
}
