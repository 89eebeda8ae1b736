//! Rules of browsers and load balancers.

use super::client::{http1, post};
use super::{ASK, Served};

#[test]
fn a_form_of_a_browser_is_refused() {
    let served = Served::start("");
    for guard in [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "none"),
    ] {
        let form = [("content-type", "application/x-www-form-urlencoded"), guard];
        let response = post(served.address, ASK, &form, r#"{"word":"name"}"#);
        assert_eq!(response.status, 415, "{guard:?}");
    }
}

#[test]
fn pages_of_listed_origins_may_call() {
    let served = Served::start("cors = [\"https://app.example.com\"]");
    let origin = ("origin", "https://app.example.com");
    let preflight = [
        origin,
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let response = http1(served.address, "OPTIONS", ASK, &preflight, b"");
    assert_eq!(response.status, 204);
    assert_eq!(
        response.header("access-control-allow-headers"),
        ["content-type"]
    );
    let response = served.ask_with("name", &[origin]);
    assert_eq!(
        response.header("access-control-allow-origin"),
        ["https://app.example.com"]
    );
    let response = served.ask_with("name", &[("origin", "https://evil.example")]);
    assert_eq!(response.header("access-control-allow-origin"), [""; 0]);
}

#[test]
fn load_balancers_see_the_health_of_the_process() {
    let served = Served::start("");
    for path in ["/healthz", "/readyz"] {
        let response = http1(served.address, "GET", path, &[], b"");
        assert_eq!((response.status, response.text()), (200, "ok\n"), "{path}");
    }
}

#[test]
fn a_stop_ends_the_edge() {
    let served = Served::start("");
    assert_eq!(served.ask("name").status, 200);
    let Served {
        process, address, ..
    } = served;
    process.signal("TERM");
    assert_eq!(process.wait().status, Some(0));
    std::net::TcpStream::connect(address).expect_err("the edge must be closed");
}
