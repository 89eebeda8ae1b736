//! The process that compiles one guest, within a limit of memory.

use std::io;
use std::process::ExitCode;

use crate::cli::CompileStdin;
use crate::exit_status::FAILED;

/// Compiles the module on stdin, and writes the code to stdout.
pub(crate) fn run(compile: &CompileStdin) -> ExitCode {
    let compiled =
        limit_memory(compile.memory_bytes_max).and_then(|()| parigot_host::compile_stdin());
    match compiled {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("parigot compile-stdin: {error}");
            FAILED.into()
        }
    }
}

/// Limits the memory of this process: its writable mappings, which hold each allocation and stack.
#[cfg(target_os = "linux")]
fn limit_memory(bytes_max: u64) -> io::Result<()> {
    let (_, hard) = rlimit::Resource::DATA.get()?;
    let limit = bytes_max.min(hard);
    rlimit::Resource::DATA.set(limit, limit)
}

/// Does nothing: other systems have no limit that covers mappings.
#[cfg(not(target_os = "linux"))]
fn limit_memory(_bytes_max: u64) -> io::Result<()> {
    Ok(())
}
