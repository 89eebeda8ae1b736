//! The log as JSON, one object in each line.

use e2e::{App, Ended, Started, example, guest};
use serde_json::{Map, Value};

fn run(app: &App) -> Ended {
    Started::new(app.command().args(["--log-format", "json"])).wait()
}

/// Parses all lines of stderr.
#[track_caller]
fn objects(ended: &Ended) -> Vec<Map<String, Value>> {
    let parse =
        |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    ended.stderr.lines().map(parse).collect()
}

/// Checks the time of an object, and returns the object without it.
#[track_caller]
fn without_time(mut object: Map<String, Value>) -> Value {
    let Some(Value::String(time)) = object.remove("time") else {
        panic!("{object:?} has no time")
    };
    assert_eq!(
        (time.len(), &time[10..11], &time[23..]),
        (24, "T", "Z"),
        "{time}"
    );
    object.into()
}

#[test]
fn a_line_has_the_known_columns_only() {
    let app = App::new("[program.bare]\nwasm = \"bare.wasm\"\n").with("bare.wasm", guest("bare"));
    let ended = run(&app);
    let [line] = &objects(&ended)[..] else {
        panic!("{}", ended.stderr)
    };
    let instance = line["instance"]
        .as_str()
        .expect("the value must be a string")
        .to_owned();
    assert!(instance.starts_with("ins_"), "{instance}");
    let expected = serde_json::json!({
        "level": "INFO", "service": "bare", "instance": instance, "message": "no std in here",
    });
    assert_eq!(without_time(line.clone()), expected);
    assert!(
        ended.stderr.starts_with("{\"time\":\""),
        "the members are in the order of the columns: {}",
        ended.stderr
    );
    assert_eq!(ended.status, Some(0));
}

#[test]
fn a_line_within_a_call_has_its_id() {
    let app = App::new(
        "[service.echo]\nwasm = \"echo.wasm\"\n\
         [program.driver]\nwasm = \"driver.wasm\"\nargs = [\"sleep:1\"]\n",
    );
    let ended = run(&app
        .with("echo.wasm", guest("echo"))
        .with("driver.wasm", guest("driver")));
    let objects = objects(&ended);
    let line = objects
        .iter()
        .find(|line| line["message"] == "sleeping")
        .expect("the service must log the call");
    assert_eq!(line["service"], "echo");
    assert!(
        line["call"]
            .as_str()
            .is_some_and(|call| call.starts_with("cal_")),
        "{line:?}"
    );
}

#[test]
fn a_panic_of_several_lines_is_one_object() {
    let app = App::new("[program.bare]\nwasm = \"bare.wasm\"\nargs = [\"--panic\"]\n")
        .with("bare.wasm", guest("bare"));
    let ended = run(&app);
    let [_, panic] = &objects(&ended)[..] else {
        panic!("{}", ended.stderr)
    };
    assert_eq!(panic["level"], "ERROR");
    assert!(
        panic["message"]
            .as_str()
            .is_some_and(|message| message.contains("the oven is cold")),
        "{panic:?}"
    );
    assert_eq!(ended.status, Some(1));
}

#[test]
fn a_start_error_is_an_object_with_its_location() {
    let ended = run(&App::new("[program.hello]\nwasm = \"hello.wasm\"\n"));
    let expected = serde_json::json!({
        "level": "ERROR", "service": "hello",
        "message": "`hello`: cannot read hello.wasm: No such file or directory (os error 2)",
        "at": "app.toml:3:8",
        "help": "build the guest, or correct the path, which is relative to the deployment file",
    });
    assert_eq!(
        objects(&ended)
            .into_iter()
            .map(without_time)
            .collect::<Vec<_>>(),
        [expected]
    );
    assert_eq!(ended.status, Some(3));

    let ended = run(&App::new("[program.hello]\nargs = [\"é\", 1]\n"));
    let places: Vec<_> = objects(&ended)
        .iter()
        .map(|object| object["at"].clone())
        .collect();
    assert_eq!(places, ["app.toml:2:10", "app.toml:3:14"]);
    assert_eq!(ended.status, Some(3));
}

#[test]
fn a_missing_export_is_an_object() {
    let app = App::new("[program.hello]\nwasm = \"hello.wasm\"\n");
    let ended = run(&app.with(
        "hello.wasm",
        std::fs::read(example().join("build/hello.wasm"))
            .expect("`make build` must write the guests of the example"),
    ));
    let [refusal] = &objects(&ended)[..] else {
        panic!("{}", ended.stderr)
    };
    assert_eq!(refusal["service"], "hello");
    assert_eq!(refusal["help"], "add a guest that exports it");
    assert_eq!(ended.status, Some(3));
}
