//! The programs in Go: one for each case, because two of them may have a file or a message of the same name.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use interop::Case;
use interop::corpus::{entries, golden, protos};

/// The program without types, which takes those of a set of descriptors.
const DYNAMIC: &str = "dynamic";

/// A Go module with a program for each case.
pub struct Module(tempfile::TempDir);

impl Module {
    /// Has protoc-gen-go write the messages of all cases, and builds the programs.
    pub fn build(cases: &[Case]) -> Self {
        let module = Self(tempfile::tempdir().expect("there is a folder for temporary files"));
        module.write("go.mod", &manifest());
        module.write(
            "go.sum",
            &fs::read_to_string(golden().join("go.sum")).expect("tests/golden is a Go module"),
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
                    "{} is a case of dynamic messages in Go: {}",
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
        fs::create_dir_all(path.parent().expect("a file is in a folder"))
            .expect("the folder is ours");
        fs::write(path, text).expect("the folder is ours");
    }

    fn write_program(&self, name: &str, packages: &[String]) {
        let sources = entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("go"));
        for path in sources {
            let file = path
                .file_name()
                .expect("a file has a name")
                .to_string_lossy();
            self.write(
                &format!("programs/{name}/{file}"),
                &fs::read_to_string(&path).expect("Go is text"),
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

    /// The packages that protoc-gen-go makes of a case, one for each file.
    fn generate(&self, case: &Case, plugin: &Path) -> Vec<String> {
        let folder = golden().join(case.name);
        let protos = protos(&folder);
        let packages: Vec<_> = (0..protos.len())
            .map(|number| format!("golden.example/{}/p{number}", case.name))
            .collect();
        let mut protoc = Command::new(
            protoc_bin_vendored::protoc_bin_path().expect("protoc is vendored for this platform"),
        );
        protoc
            .arg(format!("--plugin=protoc-gen-go={}", plugin.display()))
            .arg(format!("--go_out={}", self.0.path().display()));
        protoc.arg("--go_opt=module=golden.example");
        for (proto, package) in protos.iter().zip(&packages) {
            let name = proto
                .strip_prefix(&folder)
                .expect("it lies in the case")
                .display();
            protoc.arg(format!("--go_opt=M{name}={package}"));
        }
        let well_known =
            protoc_bin_vendored::include_path().expect("the well-known types are vendored");
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

/// Why protoc-gen-go cannot carry a case, if it cannot.
fn not_in_go(case: &Case) -> Option<String> {
    fs::read_to_string(golden().join(case.name).join("not-in-go")).ok()
}

/// The module of `tests/golden`, as it is elsewhere.
fn manifest() -> String {
    let manifest =
        fs::read_to_string(golden().join("go.mod")).expect("tests/golden is a Go module");
    let sdk = fs::canonicalize(golden().join("../../parigot-guest-go")).expect("the SDK is there");
    manifest.replace("../../parigot-guest-go", &sdk.to_string_lossy())
}

/// protoc-gen-go as the module of `tests/golden` pins it.
fn protoc_gen_go() -> PathBuf {
    let path = run(Command::new("go")
        .args(["tool", "-n", "protoc-gen-go"])
        .current_dir(golden()))
    .stdout;
    String::from_utf8(path)
        .expect("the path is text")
        .trim_end()
        .into()
}

/// Runs a command that must succeed.
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

/// A program of `go/`, which says what it answers. It ends when its stdin does.
pub struct Peer {
    _child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let questions = child.stdin.take().expect("stdin is a pipe");
        let answers = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        Self {
            _child: child,
            questions,
            answers,
        }
    }

    /// Makes a message of that type, always the same for a seed.
    pub fn fill(&mut self, name: &str, seed: u64) -> Vec<u8> {
        self.ask(&format!("fill {name} {seed}"))
            .expect("a message can be made of any type")
    }

    /// Reads a message and writes it again: equal ones as the same bytes.
    pub fn read(&mut self, name: &str, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.ask(&format!("read {name} {digits}"))
    }

    fn ask(&mut self, question: &str) -> Result<Vec<u8>, String> {
        writeln!(self.questions, "{question}").expect("the program reads");
        let mut answer = String::new();
        self.answers
            .read_line(&mut answer)
            .expect("the program answers with text");
        let digits = answer.trim_end();
        if let Some(error) = digits.strip_prefix("error: ") {
            return Err(error.to_owned());
        }
        assert!(answer.ends_with('\n'), "the program has ended: {question}");
        let byte = |at: usize| {
            u8::from_str_radix(&digits[at..at + 2], 16).expect("they are hexadecimal digits")
        };
        Ok((0..digits.len()).step_by(2).map(byte).collect())
    }
}
