//! The parts of a file that differ between unary methods and methods that stream.

use std::time::Duration;

use super::doc;
use crate::model::Idempotency;
use crate::model::go::{GoFile, GoMethod};

/// Data of one method, for the template.
pub(super) struct MethodStubs<'a> {
    pub(super) method: &'a GoMethod,
    /// Documentation of the method to implement.
    pub(super) docs: Vec<String>,
    /// Documentation of the method to call.
    pub(super) client_docs: Vec<String>,
    /// Parameters and result of the method to implement.
    pub(super) served: String,
    /// Parameters and result of the method to call.
    pub(super) called: String,
    /// Function of the SDK that makes a handler of the method to implement.
    pub(super) handle: String,
    /// Expression that makes the call.
    pub(super) call: String,
    /// True if the method completes a future.
    pub(super) is_unary: bool,
    pub(super) streams_requests: bool,
    pub(super) streams_responses: bool,
    pub(super) budget_ms: Option<u128>,
    pub(super) deadline_ms: Option<u128>,
    pub(super) idempotency: Option<&'static str>,
}

impl<'a> MethodStubs<'a> {
    /// Returns the stubs of a method of a service with that error type.
    pub(super) fn new(method: &'a GoMethod, error: &str, file: &GoFile) -> Self {
        let GoMethod { rpc, name, .. } = method;
        let docs = |does: &str| {
            let default = format!("{} {does} the rpc {}.", name.function, name.proto);
            doc::lines(
                &rpc.docs,
                default,
                doc::deprecation(rpc.deprecated, file).into_iter().collect(),
            )
        };
        let in_ms = |time: Duration| Some(time.as_millis()).filter(|ms| *ms > 0);
        let budget_ms = in_ms(rpc.budget);
        let deadline_ms = in_ms(rpc.deadline);
        Self {
            method,
            docs: docs("answers"),
            client_docs: docs("calls"),
            served: served(method),
            called: called(method),
            handle: handle(method, error),
            call: call(method, error),
            is_unary: !rpc.streams(),
            streams_requests: rpc.streams_requests,
            streams_responses: rpc.streams_responses,
            budget_ms,
            deadline_ms,
            idempotency: match rpc.idempotency {
                Idempotency::Unknown => None,
                Idempotency::NoSideEffects => Some("NoSideEffects"),
                Idempotency::Idempotent => Some("Idempotent"),
            },
        }
    }
}

fn served(method: &GoMethod) -> String {
    let GoMethod {
        rpc,
        name,
        request,
        response,
    } = method;
    let input = if rpc.streams_requests {
        format!("parigot.Receiver[*{request}]")
    } else {
        format!("*{request}")
    };
    match (rpc.streams_requests, rpc.streams_responses) {
        (false, false) => format!("(ctx context.Context, in {input}) *{}", name.future),
        (true, false) => format!("(ctx context.Context, in {input}) (*{response}, error)"),
        (_, true) => {
            format!("(ctx context.Context, in {input}, out parigot.Sender[*{response}]) error")
        }
    }
}

fn called(method: &GoMethod) -> String {
    let GoMethod {
        rpc,
        name,
        request,
        response,
    } = method;
    match (rpc.streams_requests, rpc.streams_responses) {
        (false, false) => format!("(ctx context.Context, in *{request}) *{}", name.future),
        (false, true) => {
            format!("(ctx context.Context, in *{request}) parigot.ResponseStream[*{response}]")
        }
        (true, false) => {
            format!("(ctx context.Context) parigot.ClientStream[*{request}, *{response}]")
        }
        (true, true) => {
            format!("(ctx context.Context) parigot.BidiStream[*{request}, *{response}]")
        }
    }
}

fn handle(method: &GoMethod, error: &str) -> String {
    let GoMethod {
        rpc,
        request,
        response,
        ..
    } = method;
    let kind = match (rpc.streams_requests, rpc.streams_responses) {
        // Go infers the types from the future.
        (false, false) => return "parigot.Handle".to_owned(),
        (false, true) => "ServerStream",
        (true, false) => "ClientStream",
        (true, true) => "BidiStream",
    };
    format!("parigot.Handle{kind}[*{request}, *{response}, {error}]")
}

fn call(method: &GoMethod, error: &str) -> String {
    let GoMethod {
        rpc,
        request,
        response,
        ..
    } = method;
    let index = rpc.index;
    let channel = format!("ctx, c.channel, {index}");
    let new = format!("func() *{response} {{ return new({response}) }}");
    match (rpc.streams_requests, rpc.streams_responses) {
        (false, false) => {
            format!("parigot.Call[*{response}, {error}]({channel}, in, new({response}))")
        }
        (false, true) => {
            format!("parigot.CallServerStream[*{response}, {error}]({channel}, in, {new})")
        }
        (true, false) => {
            format!("parigot.CallClientStream[*{request}, *{response}, {error}]({channel}, {new})")
        }
        (true, true) => {
            format!("parigot.CallBidiStream[*{request}, *{response}, {error}]({channel}, {new})")
        }
    }
}
