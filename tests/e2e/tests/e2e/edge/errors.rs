//! Failed calls as clients see them.

use serde_json::Value;

use super::Served;
use super::client::Response;

/// Returns the HTTP status, the code and the text of a Connect error.
fn error(response: &Response) -> (u16, String, String) {
    let error: Value = serde_json::from_str(response.text()).expect("an error is JSON");
    let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    (response.status, text("code"), text("message"))
}

/// Returns the types of an error's details.
fn detail_types(response: &Response) -> Vec<String> {
    let error: Value = serde_json::from_str(response.text()).expect("an error is JSON");
    let details = error["details"].as_array().cloned().unwrap_or_default();
    let types = details.iter().map(|detail| detail["type"].as_str());
    types.map(|name| name.expect("a type").to_owned()).collect()
}

#[test]
fn an_error_of_the_service_has_the_code_of_its_option() {
    let served = Served::start("");
    let response = served.ask("error-details");
    let expected = (404, "not_found".to_owned(), "no such shelf".to_owned());
    assert_eq!(error(&response), expected);
    assert_eq!(
        detail_types(&response),
        [
            "google.protobuf.Duration",
            "google.protobuf.Timestamp",
            "google.protobuf.Duration",
            "google.rpc.ErrorInfo",
        ]
    );
    assert_eq!(response.header("parigot-fate"), ["answered"]);
}

#[test]
fn an_error_without_a_code_is_a_failed_precondition() {
    let served = Served::start("");
    let response = served.ask("metadata-error");
    let expected = (400, "failed_precondition".to_owned(), "closed".to_owned());
    assert_eq!(error(&response), expected);
    assert_eq!(response.header("served-by"), ["first", "second"]);
    assert_eq!(response.header("trailer-cost"), ["7", "8"]);
}

#[test]
fn a_failed_guest_reveals_nothing() {
    let served = Served::start("");
    let response = served.ask("leave");
    let id = response.header("parigot-call")[0].to_owned();
    let text = format!("the service failed during the call ({id})");
    assert_eq!(error(&response), (503, "unavailable".to_owned(), text));
    assert_eq!(response.header("parigot-fate"), ["unknown"]);
}

#[test]
fn full_errors_name_the_guest() {
    let served = Served::start("errors = \"full\"");
    let (_, _, text) = error(&served.ask("leave"));
    assert_eq!(text, "answers exited with status 7 before it replied");
}

#[test]
fn a_call_ends_at_the_deadline_of_the_client() {
    let served = Served::start("");
    let response = served.ask_with("hang", &[("connect-timeout-ms", "50")]);
    assert_eq!(error(&response).1, "deadline_exceeded");
    // The dropped call is cancelled, so the guest serves the next one.
    assert_eq!(served.ask("name").status, 200);
}

#[test]
fn unknown_methods_and_services_are_unimplemented() {
    let served = Served::start("");
    for path in ["/answers.v1.Answers/Tell", "/answers.v1.Desk/Pass"] {
        let json = [("content-type", "application/json")];
        let response = super::client::post(served.address, path, &json, "{}");
        let (status, code, _) = error(&response);
        assert_eq!((status, &*code), (404, "unimplemented"), "{path}");
    }
}

#[test]
fn malformed_requests_are_refused() {
    let served = Served::start("");
    let json = [("content-type", "application/json")];
    let response = super::client::post(served.address, super::ASK, &json, "{\"word\":7}");
    let (status, code, text) = error(&response);
    assert_eq!((status, &*code), (400, "invalid_argument"));
    assert!(
        text.starts_with("the request is not JSON of answers.v1.Question"),
        "{text}"
    );
    assert_eq!(response.header("parigot-fate"), ["refused"]);
}

#[test]
fn messages_beyond_the_limit_are_refused() {
    let served = Served::start("max_message = \"1KiB\"");
    let response = served.ask(&"x".repeat(2_000));
    let (status, code, _) = error(&response);
    assert_eq!((status, &*code), (429, "resource_exhausted"));
}

#[test]
fn calls_beyond_the_limit_are_refused() {
    let served = Served::start("max_calls = 1");
    let address = served.address;
    let hanging = std::thread::spawn(move || {
        let headers = [
            ("content-type", "application/json"),
            ("connect-timeout-ms", "20000"),
        ];
        super::client::post(address, super::ASK, &headers, r#"{"word":"hang"}"#)
    });
    // Until the first call holds its place, other calls succeed.
    let refused = loop {
        let response = served.ask("name");
        if response.status != 200 {
            break response;
        }
    };
    let text = "too many calls: `max_calls` of the edge is 1".to_owned();
    assert_eq!(
        error(&refused),
        (429, "resource_exhausted".to_owned(), text)
    );
    assert_eq!(refused.header("parigot-fate"), ["refused"]);
    drop(served);
    // The process was killed, so the call has ended in any case.
    let _ = hanging.join();
}
