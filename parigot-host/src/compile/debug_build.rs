//! Wasm files for a debugger: unoptimised builds of the guests, beside the files of the deployment.

use std::path::{Path, PathBuf};

use crate::guest::sections::custom_sections;
use crate::guest::wasi::go_module;

/// Folder of the builds for a debugger, beside the wasm file of a deployment.
const FOLDER: &str = "debug";

/// Returns the build of a wasm file for a debugger: `build/debug/x.wasm` for `build/x.wasm`.
fn debug_build(wasm: &Path) -> PathBuf {
    let name = wasm.file_name().unwrap_or_default();
    wasm.with_file_name(FOLDER).join(name)
}

/// Returns the file that a debugger needs in place of `wasm`: its build for a debugger, if it
/// exists.
pub(crate) fn file_for_debugger(wasm: &Path) -> PathBuf {
    let build = debug_build(wasm);
    if build.exists() {
        build
    } else {
        wasm.to_owned()
    }
}

/// Extent to which a debugger can show a guest, as a text for the log.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Debuggable {
    #[error("runs {} for the debugger", file.display())]
    Whole { file: PathBuf },
    #[error(
        "{} is missing: the debugger shows the lines of {}, but no variables, since it is \
         optimised; build the guest without `--release` and copy it there",
        build.display(),
        file.display()
    )]
    Optimised { file: PathBuf, build: PathBuf },
    #[error(
        "{} has no debug information: the debugger shows neither lines nor variables; build the \
         guest without `--release` and copy it to {}",
        file.display(),
        build.display()
    )]
    Unknown { file: PathBuf, build: PathBuf },
    #[error(
        "{} has no debug information, because Go writes none for wasm: run the guest's tests in a \
         debugger, `dlv test`",
        file.display()
    )]
    Go { file: PathBuf },
}

impl Debuggable {
    /// Returns the extent for a guest whose deployment names `wasm`, and that runs `module`, the
    /// content of `file`.
    pub(crate) fn of(wasm: &Path, file: &Path, module: &[u8]) -> Self {
        let file = file.to_owned();
        let build = debug_build(wasm);
        if custom_sections(module).all(|(name, _)| name != ".debug_info") {
            if go_module::is_go(module) {
                Debuggable::Go { file }
            } else {
                Debuggable::Unknown { file, build }
            }
        } else if file == build {
            Debuggable::Whole { file }
        } else {
            Debuggable::Optimised { file, build }
        }
    }

    /// Logs the extent for a guest.
    pub(crate) fn log(&self, guest: &str) {
        match self {
            Debuggable::Whole { .. } => tracing::info!(service = guest, "{self}"),
            _ => tracing::warn!(service = guest, "{self}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a module with these custom sections.
    fn module(sections: &[&str]) -> Vec<u8> {
        let sections: String = sections
            .iter()
            .map(|name| format!("(@custom {name:?} \"x\")"))
            .collect();
        wat::parse_str(format!("(module {sections})")).expect("the text must be a valid module")
    }

    #[test]
    fn a_build_for_the_debugger_lies_beside_the_wasm_file() {
        let wasm = Path::new("build/x.wasm");
        let lines = module(&["name", ".debug_info"]);
        let of =
            |file: &str, module: &[u8]| Debuggable::of(wasm, Path::new(file), module).to_string();
        assert_eq!(
            of("build/debug/x.wasm", &lines),
            "runs build/debug/x.wasm for the debugger"
        );
        assert!(of("build/x.wasm", &lines).starts_with("build/debug/x.wasm is missing"));
        for file in ["build/x.wasm", "build/debug/x.wasm"] {
            assert!(
                of(file, &module(&["name"]))
                    .starts_with(&format!("{file} has no debug information: "))
            );
        }
        assert!(
            of("build/x.wasm", &module(&["go:buildid"]))
                .starts_with("build/x.wasm has no debug information, because Go writes none")
        );
    }
}
