//! The services of the edge itself.

use super::Served;
use super::client::{http2, post};

const CHECK: &str = "/grpc.health.v1.Health/Check";
const INFO: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

#[test]
fn the_health_of_a_service_can_be_asked() {
    let served = Served::start("");
    let check = |body: &str| {
        let json = [("content-type", "application/json")];
        let response = post(served.address, CHECK, &json, body);
        (response.status, response.text().to_owned())
    };
    let serving = (200, r#"{"status":"SERVING"}"#.to_owned());
    assert_eq!(check("{}"), serving);
    assert_eq!(check(r#"{"service":"answers.v1.Answers"}"#), serving);
    assert_eq!(check(r#"{"service":"x.Unknown"}"#).0, 404);
}

/// Asks for the names of all services by reflection: field 7 of the request.
fn list_services(served: &Served) -> Vec<u8> {
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let request = b"\0\0\0\0\x02\x3a\0".to_vec();
    http2(served.address, INFO, &headers, request).body
}

#[test]
fn reflection_must_be_allowed() {
    let contains =
        |body: &[u8], text: &str| body.windows(text.len()).any(|part| part == text.as_bytes());
    let open = list_services(&Served::start("reflection = true"));
    for name in ["answers.v1.Answers", "grpc.health.v1.Health"] {
        assert!(contains(&open, name), "{name} is missing");
    }
    assert_eq!(list_services(&Served::start("")), b"");
}
