//! What guests are, seen from outside: they import nothing, and export the ABI and no more.

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
                        .map(|import| import.expect("an import").name.to_owned()),
                );
            }
            Payload::ExportSection(section) => {
                exports.extend(section.into_iter().map(|export| export.expect("an export")));
            }
            _ => {}
        }
    }
    assert_eq!(imports, [""; 0]);
    // The linker adds where data ends and the heap begins; these are no functions and can do nothing.
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
                .expect("it is built"),
        );
    }
}

#[test]
fn a_guest_without_std() {
    check_module(&guest("bare"));
}
