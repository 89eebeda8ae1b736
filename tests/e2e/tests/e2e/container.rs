//! The Dockerfile of the guide. Its steps run in a scratch folder, so the test needs no Docker.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{Ended, Started, example, parigot, root};
use tempfile::TempDir;

/// User of the image. Only root could run steps as another user, so the own user replaces it.
const USER: &str = "1000";

/// Image of a Dockerfile.
struct Image {
    /// Folder that stands for `/`.
    root: TempDir,
    workdir: PathBuf,
    env: Vec<(String, String)>,
    entry_point: Vec<String>,
}

impl Image {
    /// Carries out the steps of a Dockerfile with the files of a folder.
    fn build(dockerfile: &str, context: &Path) -> Self {
        let root = tempfile::tempdir().expect("a temporary folder must be writable");
        let mut image = Image {
            workdir: root.path().to_owned(),
            root,
            env: Vec::new(),
            entry_point: Vec::new(),
        };
        let is_step = |line: &&str| !line.is_empty() && !line.starts_with('#');
        for step in dockerfile.lines().filter(is_step) {
            let (instruction, rest) = step.split_once(' ').expect("a step must have arguments");
            match instruction {
                "FROM" => {}
                "USER" => assert_eq!(rest, USER),
                "COPY" => {
                    let (_, folder) = rest.rsplit_once(' ').expect("a copy must have a target");
                    let folder = image.path(folder);
                    std::fs::create_dir_all(&folder).expect("the image must be writable");
                    // Keeps the link to the binary, which is large.
                    image.shell(&format!("cp -P {}", image.rooted(rest)), context);
                }
                "WORKDIR" => image.workdir = image.path(rest),
                "ENV" => {
                    let (name, path) = rest.split_once('=').expect("a variable must have a value");
                    let path = image.path(path).display().to_string();
                    image.env.push((name.to_owned(), path));
                }
                "RUN" => image.shell(&image.rooted(rest), &image.workdir),
                "ENTRYPOINT" => {
                    image.entry_point =
                        serde_json::from_str(rest).expect("the entry point must be a list");
                }
                other => panic!("the test does not know the instruction {other}"),
            }
        }
        image
    }

    /// Returns the place of an absolute path of the image.
    fn path(&self, path: &str) -> PathBuf {
        let path = path.strip_prefix('/').expect("a path must be absolute");
        self.root.path().join(path)
    }

    /// Returns a command line with the places of its absolute paths, and the own user.
    fn rooted(&self, line: &str) -> String {
        let root = self.root.path();
        let own = root.metadata().expect("the folder must exist").uid();
        line.replace(" /", &format!(" {}/", root.display()))
            .replace(USER, &own.to_string())
    }

    fn command(&self, program: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let bin = self.path("/usr/local/bin");
        let mut command = Command::new(program);
        command
            .env("PATH", format!("{}:{path}", bin.display()))
            .envs(self.env.iter().cloned());
        command
    }

    #[track_caller]
    fn shell(&self, line: &str, folder: &Path) {
        let mut command = self.command("sh");
        command.args(["-c", line]).current_dir(folder);
        let ended = Started::new(&mut command).wait();
        assert_eq!(ended.status, Some(0), "{line}: {}", ended.stderr);
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let [program, rest @ ..] = &self.entry_point[..] else {
            panic!("the Dockerfile must have an entry point")
        };
        let mut command = self.command(program);
        command
            .args(rest)
            .args(arguments)
            .current_dir(&self.workdir);
        Started::new(&mut command).wait()
    }
}

#[test]
fn the_image_of_the_guide_starts_from_its_cache() {
    let page = std::fs::read_to_string(root().join("docs/src/containers.md"))
        .expect("the guide must have the page");
    let (_, rest) = page
        .split_once("```dockerfile\n")
        .expect("the page must have a Dockerfile");
    let (dockerfile, _) = rest.split_once("\n```").expect("a block must be closed");
    let context = tempfile::tempdir().expect("a temporary folder must be writable");
    let files = [
        (parigot().to_path_buf(), "parigot"),
        (example().join("helloworld.toml"), "helloworld.toml"),
        (example().join("build"), "build"),
    ];
    for (file, name) in files {
        symlink(file, context.path().join(name)).expect("the folder must be writable");
    }
    let image = Image::build(dockerfile, context.path());
    // No guest can be compiled within the limit, so all come from the cache.
    let ended = image.run(&["--compile-time", "1ms"]);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains(r#""message":"bonjour, world""#),
        "{}",
        ended.stderr
    );
    std::fs::remove_dir_all(image.path("/cache")).expect("the cache must exist");
    let ended = image.run(&["--compile-time", "1ms"]);
    assert_eq!(ended.status, Some(3), "{}", ended.stderr);
}
