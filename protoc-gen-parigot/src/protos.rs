//! The `.proto` files that users import, built into the plugin.

use std::io;
use std::path::Path;

/// Name under which a `.proto` imports the options of services and methods.
pub const OPTIONS_PROTO_NAME: &str = "parigot/v1/options.proto";

/// The `.proto` files that users may import: name and text of each.
pub const PROTOS: [(&str, &str); 4] = [
    (
        OPTIONS_PROTO_NAME,
        include_str!("../proto/parigot/v1/options.proto"),
    ),
    (
        "parigot/v1/id.proto",
        include_str!("../proto/parigot/v1/id.proto"),
    ),
    (
        "parigot/stdio/v1/stdio.proto",
        include_str!("../proto/parigot/stdio/v1/stdio.proto"),
    ),
    (
        "parigot/kv/v1/kv.proto",
        include_str!("../proto/parigot/kv/v1/kv.proto"),
    ),
];

/// Writes these files below a folder, for `protoc --proto_path=DIR`.
///
/// # Errors
///
/// Returns the first error, with the path of the file.
pub fn write_protos(folder: &Path) -> io::Result<()> {
    PROTOS.iter().try_for_each(|(name, text)| {
        let path = folder.join(name);
        let write = || {
            path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            std::fs::write(&path, text)
        };
        write().map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("cannot write {}: {error}", path.display()),
            )
        })
    })
}
