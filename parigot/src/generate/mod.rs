//! `parigot generate`: generates stubs and messages in one process, without `protoc`.

mod comments;
mod files;
mod go;
mod hint;
mod scan;

use std::path::Path;
use std::process::ExitCode;
use std::{fmt, io, panic, thread};

use parigot_host::ThreadError;
use protoc_gen_parigot::options::{Language, Options};
use protoc_gen_parigot::{
    Error, OutputFile, PROTOS, Request, Warning, generate, warnings, write_protos,
};
use protox::Compiler;
use protox::file::FileResolver;

use self::files::resolver;
use crate::cli::Generate;
use crate::exit_status::FAILED;

/// Generates the files, prints warnings and errors to stderr, and returns the exit status.
pub(crate) fn run(command: &Generate) -> ExitCode {
    match try_run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(errors) => {
            eprintln!("{errors}");
            FAILED.into()
        }
    }
}

fn try_run(command: &Generate) -> Result<(), Messages> {
    if let Some(folder) = &command.write_protos {
        write_protos(folder).map_err(|error| Messages(vec![error.to_string()]))?;
    }
    // clap requires `--out` beside a file.
    let (Some(out), false) = (&command.out, command.files.is_empty()) else {
        return Ok(());
    };
    let generated = generated(command)?;
    write_all(out, &generated.files)?;
    for warning in &generated.warnings {
        eprintln!("warning: {warning}");
    }
    if is_go(command)
        && let Some(note) = go::note(command, out, &generated.files, generated.imports_own)
    {
        eprintln!("{note}");
    }
    Ok(())
}

fn is_go(command: &Generate) -> bool {
    Options::parse(&command.opt.join(",")).is_ok_and(|options| options.language == Language::Go)
}

/// Result of the generator.
struct Generated {
    files: Vec<OutputFile>,
    warnings: Vec<Warning>,
    /// A file imports one of the `.proto` files that come with the command.
    imports_own: bool,
}

/// Generates the output on a thread with a large stack: protox recurses along chains of imports.
fn generated(command: &Generate) -> Result<Generated, Messages> {
    const STACK_BYTES: usize = 512 << 20;
    thread::scope(|scope| {
        let compiler = thread::Builder::new().stack_size(STACK_BYTES);
        let running = compiler.spawn_scoped(scope, || compile(command));
        let running = running.map_err(|error| {
            let error = io::Error::from(ThreadError::new("parigot generate", &error));
            Messages(vec![error.to_string()])
        })?;
        running
            .join()
            .unwrap_or_else(|panic| panic::resume_unwind(panic))
    })
}

/// Error messages, one per line, with their position where there is one.
struct Messages(Vec<String>);

impl fmt::Display for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl From<protox::Error> for Messages {
    fn from(error: protox::Error) -> Self {
        // `Debug` of the error includes the position: `greeting.proto:3:1: …`.
        Messages(vec![hint::explained(&format!("{error:?}"))])
    }
}

/// Compiles the .proto files and generates the output.
fn compile(command: &Generate) -> Result<Generated, Messages> {
    let mut compiler = Compiler::with_file_resolver(resolver(&command.include));
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(&command.files)?;
    let named = compiler
        .files()
        .filter(|file| !file.is_import())
        .map(|file| file.name().to_owned())
        .collect();
    let is_own = |name: &str| {
        let in_folder = command
            .include
            .iter()
            .any(|folder| folder.join(name).exists());
        PROTOS.iter().any(|(own, _)| *own == name) && !in_folder
    };
    let imports_own = compiler.files().any(|file| is_own(file.name()));
    let descriptors = compiler.encode_file_descriptor_set();
    let request = Request::of_descriptors(&descriptors, named, &command.opt.join(","));
    let mut request = request.expect("descriptors from the compiler must be valid");
    attach_comments(&mut request, &resolver(&command.include));
    let files =
        generate(&request).map_err(|errors| Messages(errors.iter().map(Error::chain).collect()))?;
    Ok(Generated {
        files,
        warnings: warnings(&request),
        imports_own,
    })
}

/// Attaches comments to the same declarations as `protoc`.
fn attach_comments(request: &mut Request, resolver: &impl FileResolver) {
    for file in &mut request.proto_file {
        if let Some(info) = &mut file.source_code_info
            && let Ok(opened) = resolver.open_file(file.name.as_deref().unwrap_or_default())
        {
            comments::attach(opened.source().unwrap_or_default(), info);
        }
    }
}

fn write_all(folder: &Path, files: &[OutputFile]) -> Result<(), Messages> {
    let failed = |path: &Path, error: io::Error| {
        Messages(vec![format!("cannot write {}: {error}", path.display())])
    };
    // Also without a file: protoc does not create the folder of `--go_out`.
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    for OutputFile { name, content } in files {
        let path = folder.join(name);
        write(&path, content).map_err(|error| failed(&path, error))?;
    }
    Ok(())
}

/// Writes a file unless its content is the same: a newer time stamp would make cargo rebuild its
/// dependents.
fn write(path: &Path, content: &str) -> io::Result<()> {
    if std::fs::read(path).is_ok_and(|there| there == content.as_bytes()) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, content)
}
