//! Response headers, trailers and details on their way through the host.

use e2e::{App, Language};
use golden::answers::answers::v1::{Answer as Answered, AnswersErr, DeskClient, answers};
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

/// Each guest logs what a fake sends, and repeats a call that was not answered in time.
#[test]
fn guests_read_what_fakes_send() {
    for language in [Language::Rust, Language::Go] {
        let answers = Fake::new("answers");
        answers.answer::<answers::Ask>(|_| {
            let pause = prost_types::Duration {
                seconds: 3,
                nanos: 0,
            };
            let failure = AnswersErr::Missing.with_message("no such shelf");
            Answer::error(failure.with_detail(&pause))
                .with_header("served-by", "fake")
                .with_trailer("cost", "7")
        });
        let mut calls = 0;
        answers.answer::<answers::AskAgain>(move |question| {
            calls += 1;
            if calls == 1 {
                return Answer::never();
            }
            Answer::ok(Answered {
                text: question.word,
            })
        });
        let desk = Fake::new("desk");
        desk.exports::<DeskClient>();
        let app = asker_app(language);
        let asker = asker(&app, &["a/any", "again/bread@100"]);
        let mut run = host().fake(&answers).fake(&desk).guest(asker).start();
        assert_eq!(run.wait_for_exit("asker"), 0);
        assert_eq!(
            run.log("asker"),
            [
                "a/any: MISSING, NOT_FOUND, answered, \"no such shelf\", pause 3; \
                 headers: served-by=fake; trailers: cost=7",
                "again/bread@100: \"bread\"; attempts 2",
            ],
            "{language:?}"
        );
    }
}

/// Returns a folder with the asker.
fn asker_app(language: Language) -> App {
    let guest = match language {
        Language::Rust => "asker",
        // The module in Go has several roles.
        Language::Go => "answers",
    };
    App::new("").with("asker.wasm", language.guest(guest))
}

/// Returns the asker with these arguments.
fn asker(app: &App, arguments: &[&str]) -> GuestSpec {
    let mut asker = GuestSpec::program("asker", app.folder().join("asker.wasm"))
        .with_args(arguments.iter().copied());
    asker.env.insert("ROLE".into(), "asker".into());
    asker
}

#[test]
fn fakes_of_one_service_are_told_apart_by_name() {
    let fake = |name: &'static str| {
        let fake = Fake::new(name);
        fake.answer::<answers::Ask>(move |_| Answer::ok(Answered { text: name.into() }));
        fake
    };
    let desk = Fake::new("desk");
    desk.exports::<DeskClient>();
    for language in Language::EACH {
        let app = asker_app(language);
        let mut asker = asker(&app, &["a/any", "b/any"]);
        for (name, exporter) in [("a", "one"), ("b", "two")] {
            asker.bind.insert(name.into(), exporter.into());
        }
        let host = host().fake(&fake("one")).fake(&fake("two")).fake(&desk);
        let mut run = host.guest(asker).start();
        assert_eq!(run.wait_for_exit("asker"), 0);
        let expected = ["a/any: \"one\"", "b/any: \"two\""];
        assert_eq!(run.log("asker"), expected, "{language:?}");
    }
}
