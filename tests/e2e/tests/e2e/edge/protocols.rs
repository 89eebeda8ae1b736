//! The same call by each protocol.

use golden::answers::answers::v1::{Answer, Question};
use prost::Message as _;

use super::client::{http1, http2, post};
use super::{ASK, Served};

fn question(word: &str) -> Vec<u8> {
    Question { word: word.into() }.encode_to_vec()
}

/// Returns a message with the prefix of gRPC.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u32).to_be_bytes();
    [&[0], &length[..], message].concat()
}

/// Returns flag and contents of the first frame, and the rest.
fn first_frame(bytes: &[u8]) -> (u8, &[u8], &[u8]) {
    let (prefix, rest) = bytes.split_at(5);
    let length = u32::from_be_bytes(prefix[1..].try_into().expect("four bytes"));
    let (contents, rest) = rest.split_at(length as usize);
    (prefix[0], contents, rest)
}

#[test]
fn curl_needs_no_header() {
    let served = Served::start("");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let response = post(served.address, ASK, &form, r#"{"word":"name"}"#);
    assert_eq!(
        (response.status, response.text()),
        (200, r#"{"text":"first"}"#)
    );
    assert_eq!(response.header("content-type"), ["application/json"]);
    assert!(response.header("parigot-call")[0].starts_with("cal_"));
}

#[test]
fn connect_carries_json_and_protobuf() {
    let served = Served::start("");
    assert_eq!(served.ask("name").text(), r#"{"text":"first"}"#);
    let proto = [("content-type", "application/proto")];
    let response = post(served.address, ASK, &proto, question("name"));
    let answer = Answer::decode(&response.body[..]).expect("an answer");
    assert_eq!(answer.text, "first");
}

#[test]
fn grpc_is_served_by_http2() {
    let served = Served::start("headers = [\"colour\"]");
    let headers = [
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("colour", "red"),
    ];
    let response = http2(served.address, ASK, &headers, framed(&question("metadata")));
    assert_eq!(response.status, 200);
    let (flag, message, rest) = first_frame(&response.body);
    let answer = Answer::decode(message).expect("an answer");
    assert_eq!((flag, &*answer.text, rest), (0, "colour=red", &[][..]));
    assert_eq!(response.header("served-by"), ["first", "second"]);
    assert_eq!(response.trailer("cost"), ["7", "8"]);
    assert_eq!(response.trailer("grpc-status"), ["0"]);
    // Only the host sets reserved keys.
    assert_eq!(response.header("parigot-user"), [""; 0]);
}

#[test]
fn an_error_of_grpc_has_code_text_and_details() {
    let served = Served::start("");
    let headers = [("content-type", "application/grpc"), ("te", "trailers")];
    let body = framed(&question("error-message"));
    let response = http2(served.address, ASK, &headers, body);
    assert_eq!(response.trailer("grpc-status"), ["5"]);
    assert_eq!(response.trailer("grpc-message"), ["no such shelf"]);
    assert_eq!(response.trailer("grpc-status-details-bin").len(), 1);
    assert_eq!(response.header("parigot-fate"), ["answered"]);
}

#[test]
fn grpc_web_has_its_trailers_in_the_body() {
    let served = Served::start("");
    let headers = [("content-type", "application/grpc-web+proto")];
    let body = framed(&question("metadata"));
    let response = http1(served.address, "POST", ASK, &headers, &body);
    let (flag, message, rest) = first_frame(&response.body);
    assert_eq!(flag, 0);
    Answer::decode(message).expect("an answer");
    let (flag, trailers, rest) = first_frame(rest);
    let trailers = String::from_utf8_lossy(trailers);
    assert_eq!((flag, rest), (0x80, &[][..]));
    assert!(trailers.contains("grpc-status: 0"), "{trailers}");
    assert!(trailers.contains("cost: 7"), "{trailers}");
}

#[test]
fn only_listed_headers_reach_the_guest() {
    let headers = [
        ("colour", "red"),
        ("parigot-user", "root"),
        ("taste", "sour"),
    ];
    let served = Served::start("headers = [\"colour\"]");
    let response = served.ask_with("metadata", &headers);
    assert_eq!(response.text(), r#"{"text":"colour=red"}"#);
    assert_eq!(response.header("served-by"), ["first", "second"]);
    assert_eq!(response.header("trailer-cost"), ["7", "8"]);
    assert_eq!(response.header("parigot-user"), [""; 0]);
}
