//! Tests of the scan.

use super::*;

fn uses(source: &str) -> Vec<String> {
    let scopes = scan(source);
    let shown = scopes[0].uses.iter().map(|found| {
        let name = found.name.as_deref().unwrap_or("*");
        format!(
            "{}{} as {name}",
            if found.is_public { "pub " } else { "" },
            found.path.join("::")
        )
    });
    shown.collect()
}

fn paths(source: &str) -> Vec<String> {
    scan(source)[0]
        .paths
        .iter()
        .map(|found| found.path.join("::"))
        .collect()
}

#[test]
fn use_trees_are_flattened() {
    let found =
        uses("pub(in crate::x) use crate::{a::{self, b as c, d}, e::*};\nuse ::f::g; use h;");
    let expected = [
        "pub crate::a as a",
        "pub crate::a::b as c",
        "pub crate::a::d as d",
        "pub crate::e as *",
        "h as h",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_private_use_after_a_public_field_is_private() {
    assert_eq!(uses("struct A { pub b: u8 }\nuse c::D;"), ["c::D as D"]);
}

#[test]
fn paths_have_no_methods_and_no_generics() {
    let found = paths("fn f() { crate::a::b::<C>(x.d()); super::E { g: h(), i } }");
    assert_eq!(found, ["crate::a::b", "C", "super::E", "h"]);
}

#[test]
fn code_for_tests_is_skipped() {
    let source = "#[cfg(test)] mod tests { use a::B; }\n#[cfg(all(test, unix))] use c::D;\n\
                  struct E { #[cfg(test)] pub f: G<H, I>, j: K }\n\
                  #[cfg(test)] impl E { fn l<M, N>() -> O { P } }\n#[cfg(unix)] use q::R;";
    assert_eq!(uses(source), ["q::R as R"]);
    assert!(
        !paths(source).contains(&"P".to_owned()),
        "test code must be skipped"
    );
    assert!(
        paths(source).contains(&"K".to_owned()),
        "the field after it must be read"
    );
}

#[test]
fn items_belong_to_their_module() {
    let source = "const fn a() { fn b() {} }\nmod c { pub struct D; }\nstatic mut E: u8 = 0;\n\
                  mod f;\n#[path = \"h.rs\"]\nmod g;\n#[macro_export]\nmacro_rules! i { () => {} }";
    let scopes = scan(source);
    assert_eq!(scopes[0].items.iter().collect::<Vec<_>>(), ["E", "a", "i"]);
    assert_eq!(scopes[0].exported_macros.iter().collect::<Vec<_>>(), ["i"]);
    assert_eq!(scopes[1].items.iter().collect::<Vec<_>>(), ["D"]);
    assert_eq!(scopes[1].path, ["c"]);
    let children: Vec<_> = scopes[0]
        .children
        .iter()
        .map(|c| (&*c.name, &c.file))
        .collect();
    assert_eq!(children, [("f", &None), ("g", &Some("h.rs".to_owned()))]);
}
