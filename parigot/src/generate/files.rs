//! Files that the compiler reads.

use std::fmt;
use std::path::{Path, PathBuf};

use protoc_gen_parigot::PROTOS;
use protox::file::{
    ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver,
};

use super::scan::{DEPTH_MAX, too_deep};

/// Returns the resolver of imports: the given folders, then the files that come with the command.
pub(super) fn resolver(include: &[PathBuf]) -> impl FileResolver + 'static {
    let mut resolver = ChainFileResolver::new();
    for folder in include {
        resolver.add(FolderResolver(folder.clone()));
    }
    resolver.add(OwnResolver);
    resolver.add(GoogleFileResolver::new());
    resolver
}

/// Files of a folder.
///
/// A byte order mark is removed: `protoc` accepts one, protox does not.
struct FolderResolver(PathBuf);

impl FileResolver for FolderResolver {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        IncludeFileResolver::new(self.0.clone()).resolve_path(path)
    }

    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let text = std::fs::read_to_string(self.0.join(name)).unwrap_or_default();
        if let Some((line, column)) = too_deep(&text) {
            let message = format!(
                "{name}:{line}:{column}: brackets are nested more than {} deep",
                DEPTH_MAX
            );
            return Err(protox::Error::new(TooDeep(message)));
        }
        match text.strip_prefix('\u{feff}') {
            Some(text) => File::from_source(name, text),
            None => IncludeFileResolver::new(self.0.clone()).open_file(name),
        }
    }
}

/// Nesting on which the recursion of protox would overflow the stack.
struct TooDeep(String);

impl fmt::Display for TooDeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TooDeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for TooDeep {}

/// Files of `parigot/v1`.
pub(super) struct OwnResolver;

impl FileResolver for OwnResolver {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match PROTOS.iter().find(|(own, _)| *own == name) {
            Some((_, text)) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}
