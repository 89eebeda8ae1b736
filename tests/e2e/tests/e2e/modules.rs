//! Guests import nothing, and export the ABI and nothing else.

use e2e::{example, guest};
use wasmparser::{ExternalKind, Parser, Payload};

const ABI: [&str; 5] = [
    "memory",
    "parigot_abi",
    "parigot_inbox",
    "parigot_open",
    "parigot_turn",
];

#[track_caller]
fn check_module(bytes: &[u8]) {
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.expect("the compiler writes valid modules") {
            Payload::ImportSection(section) => {
                imports.extend(
                    section
                        .into_imports()
                        .map(|import| import.expect("the import must be valid").name.to_owned()),
                );
            }
            Payload::ExportSection(section) => {
                exports.extend(
                    section
                        .into_iter()
                        .map(|export| export.expect("the export must be valid")),
                );
            }
            _ => {}
        }
    }
    assert_eq!(imports, [""; 0]);
    // The linker exports constants such as the end of the data, which are not functions.
    exports
        .retain(|export| !(export.kind == ExternalKind::Global && export.name.starts_with("__")));
    let mut names: Vec<_> = exports.iter().map(|export| export.name).collect();
    names.sort_unstable();
    assert_eq!(names, ABI);
}

#[test]
fn the_guests_of_the_example() {
    for name in ["greeting", "hello"] {
        check_module(
            &std::fs::read(example().join("build").join(name).with_extension("wasm"))
                .expect("`make build` must write the guests of the example"),
        );
    }
}

#[test]
fn a_guest_without_std() {
    check_module(&guest("bare"));
}
