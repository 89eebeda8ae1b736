//! Detection of Go modules, with a module that Go's linker has written.

use super::go_build;
use crate::guest::wasi::go_module::is_go;

#[test]
fn only_modules_of_gos_linker_are_go_modules() {
    assert!(is_go(&go_build("abi/go", ".")));
    assert!(!is_go(b"\0asm\x01\0\0\0"));
    let section = |name: &str, content: &[u8]| {
        let body = [&[name.len() as u8], name.as_bytes(), content].concat();
        [b"\0asm\x01\0\0\0", &[0, body.len() as u8][..], &body].concat()
    };
    assert!(is_go(&section("go:buildid", b"")));
    assert!(is_go(&section(
        "producers",
        b"\x02\x08language\x01\x02Go\x061.26.8"
    )));
    assert!(!is_go(&section(
        "producers",
        b"\x01\x08language\x01\x04Rust\x00"
    )));
    let cut = section("go:buildid", b"");
    (0..cut.len()).for_each(|end| {
        assert!(
            !is_go(&cut[..end]),
            "a module that ends in the section's head"
        )
    });
}
