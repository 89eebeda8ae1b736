//! Go programs, one for each case, because two cases may have a file or a message of the same name.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use interop::Case;
use interop::corpus::{entries, golden, protos};

/// Program without types, which reads the types from a set of descriptors.
const DYNAMIC: &str = "dynamic";

/// Go module with a program for each case.
pub struct Module(tempfile::TempDir);

impl Module {
    /// Generates the messages of all cases with protoc-gen-go, and builds the programs.
    pub fn build(cases: &[Case]) -> Self {
        let module = Self(tempfile::tempdir().expect("a temporary folder must be available"));
        module.write("go.mod", &manifest());
        module.write(
            "go.sum",
            &fs::read_to_string(golden().join("go.sum")).expect("tests/golden must be a Go module"),
        );
        let plugin = protoc_gen_go();
        for case in cases.iter().filter(|case| not_in_go(case).is_none()) {
            let packages = module.generate(case, &plugin);
            module.write_program(case.name, &packages);
        }
        module.write_program(DYNAMIC, &[]);
        run(Command::new("go")
            .args(["vet", "./programs/dynamic"])
            .current_dir(module.0.path()));
        run(Command::new("go")
            .args(["build", "-o", "bin/", "./programs/..."])
            .current_dir(module.0.path()));
        module
    }

    /// Starts the program of a case.
    pub fn peer(&self, case: &Case) -> Peer {
        match not_in_go(case) {
            None => Peer::start(&mut Command::new(self.0.path().join("bin").join(case.name))),
            Some(reason) => {
                println!(
                    "{} uses dynamic messages in Go: {}",
                    case.name,
                    reason.trim()
                );
                Peer::start(
                    Command::new(self.0.path().join("bin").join(DYNAMIC)).arg(case.descriptors),
                )
            }
        }
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("a file must have a folder"))
            .expect("the temporary folder must be writable");
        fs::write(path, text).expect("the temporary folder must be writable");
    }

    fn write_program(&self, name: &str, packages: &[String]) {
        let sources = entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("go"));
        for path in sources {
            let file = path
                .file_name()
                .expect("a file must have a name")
                .to_string_lossy();
            self.write(
                &format!("programs/{name}/{file}"),
                &fs::read_to_string(&path).expect("Go sources must be text"),
            );
        }
        let imports: String = packages
            .iter()
            .map(|package| format!("import _ \"{package}\"\n"))
            .collect();
        self.write(
            &format!("programs/{name}/types.go"),
            &format!("package main\n\n{imports}"),
        );
    }

    /// Returns the packages that protoc-gen-go generates for a case, one for each file.
    fn generate(&self, case: &Case, plugin: &Path) -> Vec<String> {
        let folder = golden().join(case.name);
        let protos = protos(&folder);
        let packages: Vec<_> = (0..protos.len())
            .map(|number| format!("golden.example/{}/p{number}", case.name))
            .collect();
        let mut protoc = Command::new(
            protoc_bin_vendored::protoc_bin_path()
                .expect("protoc must be vendored for this platform"),
        );
        protoc
            .arg(format!("--plugin=protoc-gen-go={}", plugin.display()))
            .arg(format!("--go_out={}", self.0.path().display()));
        protoc.arg("--go_opt=module=golden.example");
        for (proto, package) in protos.iter().zip(&packages) {
            let name = proto
                .strip_prefix(&folder)
                .expect("the file must be in the case")
                .display();
            protoc.arg(format!("--go_opt=M{name}={package}"));
        }
        let well_known =
            protoc_bin_vendored::include_path().expect("the well-known types must be vendored");
        for include in [
            &folder,
            &well_known,
            &golden().join("../../protoc-gen-parigot/proto"),
        ] {
            protoc.arg(format!("--proto_path={}", include.display()));
        }
        run(protoc.args(&protos));
        packages
    }
}

/// Returns the reason why protoc-gen-go does not support a case.
fn not_in_go(case: &Case) -> Option<String> {
    fs::read_to_string(golden().join(case.name).join("not-in-go")).ok()
}

/// Returns the go.mod of `tests/golden`, with an absolute path of the SDK.
fn manifest() -> String {
    let manifest =
        fs::read_to_string(golden().join("go.mod")).expect("tests/golden must be a Go module");
    let sdk =
        fs::canonicalize(golden().join("../../parigot-guest-go")).expect("the SDK must exist");
    manifest.replace("../../parigot-guest-go", &sdk.to_string_lossy())
}

/// Returns protoc-gen-go in the version that the module of `tests/golden` pins.
fn protoc_gen_go() -> PathBuf {
    let path = run(Command::new("go")
        .args(["tool", "-n", "protoc-gen-go"])
        .current_dir(golden()))
    .stdout;
    String::from_utf8(path)
        .expect("the path must be text")
        .trim_end()
        .into()
}

/// Runs a command, which must succeed.
fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Running program of `go/`, which exits when stdin closes.
pub struct Peer {
    _child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let questions = child.stdin.take().expect("stdin must be a pipe");
        let answers = BufReader::new(child.stdout.take().expect("stdout must be a pipe"));
        Self {
            _child: child,
            questions,
            answers,
        }
    }

    /// Returns a message of that type, the same for each seed.
    pub fn fill(&mut self, name: &str, seed: u64) -> Vec<u8> {
        self.ask(&format!("fill {name} {seed}"))
            .expect("every type must have a message")
    }

    /// Decodes and encodes a message. Equal messages give equal bytes.
    pub fn read(&mut self, name: &str, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.ask(&format!("read {name} {digits}"))
    }

    fn ask(&mut self, question: &str) -> Result<Vec<u8>, String> {
        writeln!(self.questions, "{question}").expect("the program must read its input");
        let mut answer = String::new();
        self.answers
            .read_line(&mut answer)
            .expect("the answer must be text");
        let digits = answer.trim_end();
        if let Some(error) = digits.strip_prefix("error: ") {
            return Err(error.to_owned());
        }
        assert!(answer.ends_with('\n'), "the program has exited: {question}");
        let byte = |at: usize| {
            u8::from_str_radix(&digits[at..at + 2], 16)
                .expect("the answer must have hexadecimal digits")
        };
        Ok((0..digits.len()).step_by(2).map(byte).collect())
    }
}
