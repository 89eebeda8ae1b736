//! Files and lines of a module, from its DWARF sections or the table of Go's runtime.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use addr2line::Context;
use addr2line::gimli::{self, Dwarf, EndianSlice, LittleEndian};
use parking_lot::Mutex;
use self_cell::self_cell;
use sha2::{Digest, Sha256};
use wasmtime::FrameInfo;

use super::frame::{SourceFrame, demangled};
use super::go_functions::GoFunctions;
use crate::guest::sections::{CODE, custom_sections, section};
use crate::limits::MODULE_BYTES_MAX;
use crate::regular_file;

/// Digest of a module's file.
pub(crate) type ModuleDigest = [u8; 32];

/// Source of the symbols of a module: its file, which is read at the first fault.
pub(crate) struct Symbols {
    path: PathBuf,
    digest: ModuleDigest,
    is_go: bool,
    /// Set at the first fault.
    lines: OnceLock<Result<Lines, NoLines>>,
}

/// Files and lines of a module.
pub(super) enum Lines {
    Dwarf(DwarfLines),
    Go(GoFunctions),
}

/// Files and lines in the DWARF sections of a module.
pub(super) struct DwarfLines {
    /// Locked, because a context parses on demand.
    parsed: Mutex<Parsed>,
    /// Offset of the code section in the module.
    code: usize,
}

type Dwarfs<'a> = Context<EndianSlice<'a, LittleEndian>>;

self_cell! {
    /// Module and its parsed DWARF sections, which refer to it.
    struct Parsed {
        owner: Vec<u8>,
        #[not_covariant]
        dependent: Dwarfs,
    }
}

/// Reason why a backtrace has no lines, and the next step.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLines {
    #[error(
        "no lines: the module has no debug information; set `debug = \"line-tables-only\"` in \
         `[profile.release]` of its Cargo.toml"
    )]
    Missing,
    #[error("no lines: the table of functions of this version of Go is not known")]
    Go,
    #[error("no lines: {} has changed since the start", path.display())]
    Changed { path: PathBuf },
    #[error("no lines: cannot read {}: {error}", path.display())]
    Unreadable {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("no lines: the debug information of the module is malformed")]
    Malformed,
}

impl Symbols {
    pub(crate) fn new(path: &Path, digest: ModuleDigest, is_go: bool) -> Self {
        Symbols {
            path: path.to_owned(),
            digest,
            is_go,
            lines: OnceLock::new(),
        }
    }

    /// Returns whether the file was read already.
    pub(super) fn are_read(&self) -> bool {
        self.lines.get().is_some()
    }

    /// Returns the lines of the module, and reads its file for the first call.
    ///
    /// # Errors
    ///
    /// If the file has no lines, or is not the module any more.
    pub(super) fn lines(&self) -> Result<&Lines, &NoLines> {
        self.lines.get_or_init(|| self.read()).as_ref()
    }

    fn read(&self) -> Result<Lines, NoLines> {
        let module = regular_file::read(&self.path, MODULE_BYTES_MAX).map_err(|error| {
            NoLines::Unreadable {
                path: self.path.clone(),
                error,
            }
        })?;
        if ModuleDigest::from(Sha256::digest(&module)) != self.digest {
            return Err(NoLines::Changed {
                path: self.path.clone(),
            });
        }
        if self.is_go {
            let functions = GoFunctions::of(&module).ok_or(NoLines::Go)?;
            Ok(Lines::Go(functions))
        } else {
            DwarfLines::of(module).map(Lines::Dwarf)
        }
    }
}

impl Lines {
    /// Returns the functions at an offset in the function `name` of the module, the innermost
    /// first: the inlined functions and the function itself. Empty if the module has no line for
    /// it.
    pub(super) fn at(&self, frame: &FrameInfo, name: &str) -> Vec<SourceFrame> {
        match self {
            Lines::Dwarf(lines) => frame
                .module_offset()
                .map_or_else(Vec::new, |offset| lines.at(offset, name)),
            Lines::Go(functions) => {
                let place = functions.place(frame.func_index());
                let frame = place.map(|(file, line)| SourceFrame {
                    function: name.to_owned(),
                    place: Some((file, line, 0)),
                });
                frame.into_iter().collect()
            }
        }
    }

    /// Returns what a reader of the lines must know.
    pub(super) fn remark(&self) -> Option<&'static str> {
        match self {
            Lines::Dwarf(_) => None,
            Lines::Go(_) => Some("each line is that at which the function begins"),
        }
    }
}

impl DwarfLines {
    fn of(module: Vec<u8>) -> Result<Self, NoLines> {
        let has_lines = custom_sections(&module).any(|(name, _)| name == ".debug_line");
        let (true, Some(code)) = (has_lines, section(&module, CODE)) else {
            return Err(NoLines::Missing);
        };
        // The sections come from the guest, so a bug of the parser must not end the host.
        match catch_unwind(|| Parsed::try_new(module, |module| parse(module))) {
            Ok(Ok(parsed)) => Ok(DwarfLines {
                parsed: Mutex::new(parsed),
                code: code.start,
            }),
            _ => Err(NoLines::Malformed),
        }
    }

    /// Returns the functions at an offset in the module, the innermost first: the inlined functions
    /// and the function `name`, which contains the offset. Empty if the module has no line for the
    /// offset.
    fn at(&self, offset: usize, name: &str) -> Vec<SourceFrame> {
        let Some(address) = offset.checked_sub(self.code) else {
            return Vec::new();
        };
        catch_unwind(AssertUnwindSafe(|| self.at_address(address as u64, name))).unwrap_or_default()
    }

    fn at_address(&self, address: u64, name: &str) -> Vec<SourceFrame> {
        let mut frames = self
            .parsed
            .lock()
            .with_dependent(|_, context| frames_at(context, address))
            .unwrap_or_default();
        // The name section has the whole path of the outermost function.
        if let Some(outermost) = frames.last_mut() {
            outermost.function = name.to_owned();
        }
        frames
    }
}

fn parse(module: &[u8]) -> gimli::Result<Dwarfs<'_>> {
    let sections: HashMap<_, _> = custom_sections(module).collect();
    let dwarf = Dwarf::load(|id| {
        let range = sections.get(id.name()).cloned().unwrap_or_default();
        Ok::<_, gimli::Error>(EndianSlice::new(&module[range], LittleEndian))
    })?;
    Context::from_dwarf(dwarf)
}

/// Returns the functions at an address of the code section. The outermost has no name if it has
/// none in the DWARF sections.
fn frames_at(context: &Dwarfs<'_>, address: u64) -> gimli::Result<Vec<SourceFrame>> {
    let mut found = context.find_frames(address).skip_all_loads()?;
    let mut frames = Vec::new();
    while let Some(frame) = found.next()? {
        let place = frame.location.and_then(|location| {
            let (line, column) = (location.line, location.column);
            Some((
                location.file?.to_owned(),
                line.unwrap_or(0),
                column.unwrap_or(0),
            ))
        });
        let function = match &frame.function {
            Some(name) => demangled(&name.raw_name()?),
            None => String::new(),
        };
        frames.push(SourceFrame { function, place });
    }
    Ok(frames)
}
