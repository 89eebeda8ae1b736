//! `parigot generate`: what `protoc` and its plugin do, in one process and without `protoc`.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use protoc_gen_parigot::{Error, OutputFile, PROTOS, Request, generate};
use protox::Compiler;
use protox::file::{
    ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver,
};

use crate::Generate;

const FAILED: u8 = 1;

/// Generates, says what is wrong on stderr, and returns the exit status.
pub(crate) fn run(command: &Generate) -> ExitCode {
    match files(command).and_then(|files| write_all(&command.out, &files)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(errors) => {
            eprintln!("{errors}");
            FAILED.into()
        }
    }
}

/// Lines for the user, each with its place where there is one.
struct Mistakes(Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl From<protox::Error> for Mistakes {
    fn from(error: protox::Error) -> Self {
        // Its `Debug` is the form with the place: `greeting.proto:3:1: …`.
        Mistakes(vec![format!("{error:?}")])
    }
}

/// What is to be written.
fn files(command: &Generate) -> Result<Vec<OutputFile>, Mistakes> {
    let mut compiler = Compiler::with_file_resolver(resolver(&command.include));
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(&command.files)?;
    let named = compiler
        .files()
        .filter(|file| !file.is_import())
        .map(|file| file.name().to_owned())
        .collect();
    let descriptors = compiler.encode_file_descriptor_set();
    let request = Request::of_descriptors(&descriptors, named, &command.opt.join(","));
    let request = request.expect("the compiler's own descriptors are sound");
    generate(&request).map_err(|errors| Mistakes(errors.iter().map(Error::chain).collect()))
}

/// Where imports are looked for: in the folders given, then among those that everybody has.
fn resolver(include: &[PathBuf]) -> impl FileResolver + 'static {
    let mut resolver = ChainFileResolver::new();
    for folder in include {
        resolver.add(FolderResolver(folder.clone()));
    }
    resolver.add(OwnResolver);
    resolver.add(GoogleFileResolver::new());
    resolver
}

/// Has what lies in a folder. A file may begin with a byte order mark: `protoc` overlooks it, protox does not.
struct FolderResolver(PathBuf);

impl FileResolver for FolderResolver {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        IncludeFileResolver::new(self.0.clone()).resolve_path(path)
    }

    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let text = std::fs::read_to_string(self.0.join(name)).unwrap_or_default();
        match text.strip_prefix('\u{feff}') {
            Some(text) => File::from_source(name, text),
            None => IncludeFileResolver::new(self.0.clone()).open_file(name),
        }
    }
}

/// Has parigot's own files.
struct OwnResolver;

impl FileResolver for OwnResolver {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match PROTOS.iter().find(|(own, _)| *own == name) {
            Some((_, text)) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

fn write_all(folder: &Path, files: &[OutputFile]) -> Result<(), Mistakes> {
    let failed = |path: &Path, error: io::Error| {
        Mistakes(vec![format!("cannot write {}: {error}", path.display())])
    };
    for OutputFile { name, content } in files {
        let path = folder.join(name);
        write(&path, content).map_err(|error| failed(&path, error))?;
    }
    Ok(())
}

/// Writes a file, unless it is there and the same: a newer one would have cargo build anew what leans on it.
fn write(path: &Path, content: &str) -> io::Result<()> {
    if std::fs::read(path).is_ok_and(|there| there == content.as_bytes()) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, content)
}
