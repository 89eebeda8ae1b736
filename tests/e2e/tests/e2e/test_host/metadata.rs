//! Response headers, trailers and details on their way through the host.

use golden::helloworld::greeting::v1::{FetchGreetingRequest, FetchGreetingResponse, greeting};
use parigot_guest::{CallError, Failure, prost_types};

use super::*;

#[test]
fn headers_and_trailers_reach_the_caller() {
    let service = Fake::new("greeting");
    service.answer::<greeting::FetchGreeting>(|_| {
        Answer::ok(FetchGreetingResponse::default())
            .with_header("served-by", "fake")
            .with_header("Parigot-User", "ann")
            .with_trailer("cost", "7")
            .with_trailer("parigot-peer", "ann")
    });
    let mut run = host().fake(&service).start();
    let call = run.begin::<greeting::FetchGreeting>(FetchGreetingRequest::default());
    run.wait(&call).expect("the call must be answered");
    let metadata = call.metadata();
    // Only the host sets the keys that begin with `parigot-`.
    let headers: Vec<_> = metadata.headers().iter().collect();
    assert_eq!(headers, [("served-by", "fake")]);
    let trailers: Vec<_> = metadata.trailers().iter().collect();
    assert_eq!(trailers, [("cost", "7")]);
}

#[test]
fn an_error_of_the_service_keeps_message_and_details() {
    let pause = prost_types::Duration {
        seconds: 3,
        nanos: 0,
    };
    let service = Fake::new("greeting");
    service.answer::<greeting::FetchGreeting>(move |_| {
        let failure = Failure::from(GreetErr::UnknownLang);
        Answer::error(failure.with_message("no Latin").with_detail(&pause))
            .with_trailer("cost", "7")
    });
    let mut run = host().fake(&service).start();
    let error = run
        .call::<greeting::FetchGreeting>(FetchGreetingRequest::default())
        .expect_err("the service must fail");
    assert!(matches!(
        error,
        CallError::Service(GreetErr::UnknownLang, _)
    ));
    assert_eq!(error.message(), "no Latin");
    assert_eq!(error.details::<prost_types::Duration>(), [pause]);
    assert_eq!(error.metadata().trailers().get("cost"), Some("7"));
}

#[test]
fn a_call_after_its_deadline_is_refused() {
    let service = Fake::new("greeting");
    service.exports::<golden::helloworld::greeting::v1::GreetingClient>();
    let mut run = host().fake(&service).start();
    let request = FetchGreetingRequest::default();
    let call = run.begin_within::<greeting::FetchGreeting>(Duration::ZERO, request);
    let error = run.wait(&call).expect_err("the call must be refused");
    assert!(error.is_refused() && error.is_timed_out(), "{error}");
}
