//! Changes of a `.proto` that change the schema hash, and changes that do not.

use protoc_gen_parigot::generate;

use crate::protoc::request;

const KITCHEN: &str = "syntax = \"proto3\";
package kitchen;
service Kitchen { rpc Cook(Order) returns (Dish); rpc Wash(Dish) returns (Dish); }
message Order { string name = 1; repeated Dish dishes = 2; }
message Dish { int32 size = 1; optional int32 heat = 2; oneof side { bool rice = 3; Dish other = \
4; } }
message Unused { int32 field = 1; }
enum KitchenErr { NONE = 0; ON_FIRE = 1; }
";

/// Returns the line with the hash of `Kitchen`.
fn schema(text: &str) -> String {
    schema_with(text, "")
}

fn schema_with(text: &str, parameter: &str) -> String {
    let files =
        generate(&request(&[("kitchen.proto", text)], parameter)).expect("the input must be valid");
    let line = files[0]
        .content
        .lines()
        .find(|line| line.trim().starts_with("schema: "));
    line.expect("the output must have a service")
        .trim()
        .to_owned()
}

#[test]
fn the_hash_is_stable() {
    assert_eq!(schema(KITCHEN), "schema: 0xa17f196c97eba90c,");
}

#[test]
fn the_hash_covers_the_codes_of_errors() {
    let with = |code: &str| {
        let option = format!("ON_FIRE = 1 [(parigot.v1.error).code = {code}]");
        let text = KITCHEN.replace("ON_FIRE = 1", &option).replace(
            "package kitchen;",
            "package kitchen; import \"parigot/v1/options.proto\";",
        );
        schema(&text)
    };
    assert_eq!(with("OK"), schema(KITCHEN), "OK means unset");
    assert_ne!(with("UNAVAILABLE"), schema(KITCHEN));
    assert_ne!(with("UNAVAILABLE"), with("ABORTED"));
}

#[test]
fn the_hash_ignores_what_is_not_on_the_wire() {
    let same = |from: &str, to: &str| {
        let text = KITCHEN.replace(from, to);
        assert_ne!(text, KITCHEN);
        assert_eq!(schema(&text), schema(KITCHEN), "{from} to {to}");
    };
    same("service", "// A comment.\nservice");
    same(
        "int32 size = 1; optional int32 heat = 2;",
        "optional int32 heat = 2; int32 size = 1;",
    );
    same(
        "rpc Cook(Order) returns (Dish); rpc Wash(Dish) returns (Dish);",
        "rpc Wash(Dish) returns (Dish); rpc Cook(Order) returns (Dish);",
    );
    same("message Unused { int32 field = 1; }\n", "");
    same("name = 1", "name = 1 [deprecated = true]");
}

#[test]
fn the_hash_covers_the_kind_of_streams() {
    let with = |request: &str, response: &str, parameter: &str| {
        let rpc = format!("rpc Watch({request}) returns ({response}); rpc Wash");
        schema_with(&KITCHEN.replace("rpc Wash", &rpc), parameter)
    };
    let mut hashes = std::collections::BTreeSet::new();
    for request in ["Dish", "stream Dish"] {
        for response in ["Dish", "stream Dish"] {
            hashes.insert(with(request, response, ""));
        }
    }
    assert_eq!(hashes.len(), 4);
    let skipped = with("Dish", "stream Dish", "streaming=skip");
    assert_eq!(skipped, schema(KITCHEN), "methods left out do not count");
}

#[test]
fn the_hash_covers_all_reached_types() {
    let moved = |from: &str, to: &str| {
        let text = KITCHEN.replace(from, to);
        assert_ne!(text, KITCHEN);
        assert_ne!(schema(&text), schema(KITCHEN), "{from} to {to}");
    };
    moved("Wash(", "Rinse(");
    moved("returns (Dish); }", "returns (Order); }");
    moved("name = 1", "name = 7");
    moved("string name", "bytes name");
    moved("string name", "string called");
    moved("repeated Dish", "Dish");
    moved("optional int32", "int32");
    moved("bool rice", "bool chips");
    moved("ON_FIRE = 1", "ON_FIRE = 2");
    moved("KitchenErr", "OtherErr");
    moved("oneof side", "oneof beside");
    moved("package kitchen", "package kitchens");
}
