//! Files that are not what they should be: pipes, devices and folders where files are read, and
//! deployment files that are made to overwhelm the command.

use std::path::Path;
use std::process::Command;

use e2e::{App, Ended, go_guest};

const HELLO: &str = "[program.hello]\nwasm = \"hello.wasm\"\n";

fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo must run").success());
}

/// Checks that the start is refused because of a file that is not regular.
#[track_caller]
fn check_not_regular(ended: &Ended, named: &str) {
    assert_eq!(ended.status, Some(3), "{}", ended.stderr);
    for part in [named, "it is not a regular file"] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
}

#[test]
fn a_pipe_as_wasm_file_is_refused() {
    let app = App::new(HELLO);
    make_pipe(&app.folder().join("hello.wasm"));
    for subcommand in ["run", "check"] {
        let ended = app.run_subcommand(subcommand, &[]);
        check_not_regular(&ended, "`hello`: cannot read hello.wasm");
    }
}

#[test]
fn a_pipe_or_a_device_as_deployment_file_is_refused() {
    let app = App::new(HELLO);
    std::fs::remove_file(app.file()).expect("the file must exist");
    make_pipe(&app.file());
    check_not_regular(&app.run(), "cannot read the deployment file app.toml");
    std::fs::remove_file(app.file()).expect("the pipe must exist");
    std::os::unix::fs::symlink("/dev/zero", app.file()).expect("the folder must be writable");
    check_not_regular(&app.run(), "cannot read the deployment file app.toml");
}

#[test]
fn a_pipe_as_secret_is_refused() {
    let keys = "env = { TOKEN = { file = \"token\" } }\n";
    let app = App::new(&format!("{HELLO}{keys}")).with("hello.wasm", go_guest("teller"));
    make_pipe(&app.folder().join("token"));
    check_not_regular(&app.run(), "token");
}

#[test]
fn a_pipe_as_certificate_is_refused() {
    let network = "[process.all]\nguests = [\"hello\"]\n[network]\nnats = \"tls://127.0.0.1:1\"\n\
                   app = \"pipes\"\ntls = { ca = \"ca.pem\" }\n";
    let app = App::new(&format!("{HELLO}{network}")).with("hello.wasm", go_guest("teller"));
    make_pipe(&app.folder().join("ca.pem"));
    check_not_regular(&app.run_subcommand("run", &["--process", "all"]), "ca.pem");
}

#[test]
fn the_errors_of_a_file_are_bounded() {
    let tables: String = (0..20_000)
        .map(|n| format!("[table{n}]\nx = 1\n"))
        .collect();
    let app = App::new(&tables);
    let ended = app.run();
    assert_eq!(ended.status, Some(3));
    let count = ended.stderr.matches("unknown key `table").count();
    assert_eq!(count, 100, "{}", ended.stderr);
    for part in ["app.toml:2:2", "there are more problems"] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    assert!(ended.stderr.len() < 50_000, "{} bytes", ended.stderr.len());
    let twice: String = (0..20_000).map(|_| "[service.a]\nwasm = \"a\"\n").collect();
    let ended = App::new(&twice).run();
    assert_eq!(ended.status, Some(3));
    assert!(
        ended.stderr.contains("there are more problems"),
        "{}",
        ended.stderr
    );
}

#[test]
fn the_problems_of_guests_are_bounded() {
    let guests: String = (0..500)
        .map(|n| format!("[service.s{n}]\nwasm = \"{n}.wasm\"\n"))
        .collect();
    let app = App::new(&guests);
    let ended = app.run();
    assert_eq!(ended.status, Some(3));
    let count = ended.stderr.matches("cannot read").count();
    assert_eq!(count, 100, "{}", ended.stderr);
    let told = "there are more problems: correct these first";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    let json = app.run_subcommand("check", &["--format", "json"]).stdout;
    assert!(json.contains("\"more_problems\":true"), "{json}");
}

#[test]
fn an_error_far_to_the_right_is_shown() {
    let ended = App::new(&format!("{HELLO}args = [\"{}\", 1]\n", "x".repeat(70_000))).run();
    assert_eq!(ended.status, Some(3), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("app.toml:4:70013: "),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.len() < 1_000, "{}", ended.stderr);
}

#[test]
fn a_file_above_the_limit_is_refused() {
    let ended = App::new(&format!("# {}\n{HELLO}", "x".repeat(4 << 20))).run();
    assert_eq!(ended.status, Some(3));
    let told = "app.toml is larger than 4 MiB and cannot be a deployment file";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
}

/// Names in a wasm module, strings of the deployment file and paths.
#[test]
fn names_from_outside_do_not_control_the_terminal() {
    let names = "[program.\"\\u001b[31mred\"]\nwasm = 'x.wasm'\nargs = [\"\\u001b\", 1]\n";
    let files = "[program.path]\nwasm = \"\\u001b[2J.wasm\"\n[program.imports]\nwasm = \
                 \"imports.wasm\"\n";
    let module = r#"(module (import "env\1b[2J" "be\07l" (func)) (memory (export "memory") 1))"#;
    for deployment in [names, files] {
        let app = App::new(deployment).with_wat("imports.wasm", module);
        for (subcommand, arguments) in [
            ("run", &[][..]),
            ("run", &["--log-format", "json"]),
            ("check", &[]),
            ("check", &["--format", "json"]),
            ("graph", &[]),
        ] {
            let ended = app.run_subcommand(subcommand, arguments);
            assert_eq!(ended.status, Some(3), "{}", ended.stderr);
            let controls = |c: char| c.is_control() && c != '\n';
            assert!(!ended.stderr.contains(controls), "{:?}", ended.stderr);
            assert!(!ended.stdout.contains(controls), "{:?}", ended.stdout);
        }
    }
}
