//! The `.proto` files that users import, built into the plugin.

/// Name under which a `.proto` imports the options of services and methods.
pub const OPTIONS_PROTO_NAME: &str = "parigot/v1/options.proto";

/// The `.proto` files that users may import: name and text of each.
pub const PROTOS: [(&str, &str); 3] = [
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
];
