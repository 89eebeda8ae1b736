//! `parigot graph`: the services that guests require, as text and as drawings.

use e2e::App;

fn app() -> App {
    App::new("")
        .with_service("ant", &["x.Ant"], &[])
        .with_service("bee", &["x.Bee", "x.Honey"], &["x.Ant"])
        .with_service("cow", &["x.Cow"], &["x.Honey", "x.Ant", "x.Bee"])
        .with_service("dog", &["x.Dog"], &["x.Cat"])
}

#[track_caller]
fn check(arguments: &[&str], expected: &str) {
    let ended = app().run_subcommand("graph", arguments);
    assert_eq!(ended.stdout, expected);
    assert_eq!((&*ended.stderr, ended.status), ("", Some(0)));
}

#[test]
fn text_has_a_line_for_each_edge() {
    let expected = "\
step   guest        requires
1      service ant  -
2      service bee  -> ant       x.Ant
3      service cow  -> ant       x.Ant
                    -> bee       x.Honey, x.Bee
never  service dog  -> (none)  x.Cat
";
    check(&[], expected);
}

#[test]
fn graphviz_output_is_valid() {
    let expected = r#"digraph deployment {
    rankdir = LR
    node [shape = box]
    "ant" [style = rounded]
    "bee" [style = rounded]
    "cow" [style = rounded]
    "dog" [style = rounded]
    "bee" -> "ant" [label = "x.Ant"]
    "cow" -> "ant" [label = "x.Ant"]
    "cow" -> "bee" [label = "x.Honey\nx.Bee"]
    "dog" -> "(none)" [label = "x.Cat", color = red, fontcolor = red]
}
"#;
    check(&["--format", "dot"], expected);
}

#[test]
fn mermaid_output_is_valid() {
    let expected = r#"graph LR
    guest0(["ant"])
    guest1(["bee"])
    guest2(["cow"])
    guest3(["dog"])
    guest1 -- "x.Ant" --> guest0
    guest2 -- "x.Ant" --> guest0
    guest2 -- "x.Honey<br/>x.Bee" --> guest1
    guest3 -. "x.Cat" .-> missing[["missing"]]
"#;
    check(&["--format", "mermaid"], expected);
}

#[test]
fn twenty_guests_fit_on_a_screen() {
    let part = |k: usize| format!("shop.v1.Part{k}");
    let first = App::new("").with_service("part-0", &[&part(0)], &[]);
    let app = (1..20).fold(first, |app, k| {
        app.with_service(&format!("part-{k}"), &[&part(k)], &[&part(k / 2)])
    });
    let ended = app.run_subcommand("graph", &[]);
    assert_eq!(ended.stdout.lines().count(), 21);
    assert!(
        ended.stdout.lines().all(|line| line.len() <= 80),
        "{}",
        ended.stdout
    );
    assert_eq!(
        ended.stdout.lines().nth(20),
        Some("6      service part-19  -> part-9  shop.v1.Part9")
    );
}

#[test]
fn an_invalid_guest_cannot_be_drawn() {
    let app = app().with_service("eel", &["x.Eel"], &[]);
    std::fs::write(app.folder().join("eel.wasm"), "no wasm")
        .expect("a temporary folder must be writable");
    let ended = app.run_subcommand("graph", &[]);
    assert_eq!(ended.stdout, "");
    assert!(
        ended.stderr.contains("× `eel`: eel.wasm cannot be run"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stderr.matches('×').count(), 1, "{}", ended.stderr);
    assert_eq!(ended.status, Some(3));
}
