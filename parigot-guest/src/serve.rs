//! Inbound calls: the traits that generated servers implement, and replies.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;

use parigot_abi::frame::flags;
use parigot_abi::{Cause, Code, Detail, Frame, Header, Kind, Outline};
use prost::Message;

use crate::answer::{Answer, AnswerStatus, HandlerError, OwnedDetail};
use crate::context::Context;
use crate::method::Method;
use crate::prost::decode;
use crate::runtime::guest::Guest;
use crate::runtime::response_metadata::CallMetadata;
use crate::runtime::scope::Scope;
use crate::runtime::trace_context;
use crate::service_info::{MethodInfo, Service};
use crate::status::{COMPARE_SCHEMAS, ServiceError, Status};

/// Connects a method to the user's function that serves it. The generator implements it.
pub trait Serve<S>: Method {
    /// Serves one call.
    fn serve(
        service: &S,
        cx: &Context,
        request: Self::Request,
    ) -> impl Future<Output = Result<Self::Response, <Self::Error as ServiceError>::Failure>>;
}

/// Connects an `S` to the event loop as one service. The generator implements it.
pub trait Server<S> {
    /// The service.
    const SERVICE: &'static Service;

    /// Serves an inbound call with the method that it names.
    fn dispatch(service: &Rc<S>, call: Incoming<'_>);
}

/// An inbound call. Each method that answers it consumes it, so that it is answered once.
#[must_use = "a call that is dropped is never answered"]
pub struct Incoming<'a> {
    pub(crate) guest: &'a Rc<Guest>,
    pub(crate) frame: &'a Frame<'a>,
}

impl<'a> Incoming<'a> {
    pub(crate) fn new(guest: &'a Rc<Guest>, frame: &'a Frame<'a>) -> Self {
        Incoming { guest, frame }
    }

    /// Returns the index of the method in its service.
    pub fn method(&self) -> u32 {
        self.frame.header.method
    }

    /// Returns the index of the service among the exports.
    pub(crate) fn service(&self) -> u32 {
        self.frame.header.service
    }

    /// Decodes the request and runs the method in a task, which sends the reply.
    ///
    /// A request that is not an `M::Request` is answered with `INVALID_ARGUMENT`; then nothing
    /// runs.
    // One function for each method, not inlined into `dispatch`: the match over methods stays small
    // and saves no registers for the methods that are not called.
    #[inline(never)]
    pub fn serve<M: Serve<S>, S: 'static>(self, service: &Rc<S>) {
        match decode::<M::Request>(self.frame.payload) {
            Ok(request) => self.run::<M, S>(Rc::clone(service), request),
            Err(error) => self.undecodable(M::info(), &error),
        }
    }

    #[cold]
    pub(crate) fn undecodable(self, method: &MethodInfo, error: &prost::DecodeError) {
        let message = format!(
            "the request of {} cannot be decoded: {error}; {COMPARE_SCHEMAS}",
            method.name()
        );
        self.refuse(Code::InvalidArgument, Cause::Undecodable, &message);
    }

    #[inline]
    fn run<M: Serve<S>, S: 'static>(self, service: Rc<S>, request: M::Request) {
        let scope = Scope::of_call(&self.frame.header);
        let trace = trace_context::of(self.frame.metadata);
        let cx = Context::of_call(Rc::clone(self.guest), self.frame);
        // Allocated first, so that the future is built in its final place and not moved there.
        let place = Box::new_uninit();
        let handler = Box::into_pin(Box::write(place, async move {
            if cx.is_too_late() {
                return refuse_late(&cx);
            }
            // Before any code of the handler: if the guest traps, the host knows which calls ran.
            cx.guest.io.begin_call(cx.scope.number);
            let result = M::serve(&service, &cx, request).await;
            let guest = &cx.guest;
            let number = cx.scope.number;
            // Before the reply is encoded: a cancellation that crosses the reply is ignored.
            guest.calls.end_inbound(number);
            match result {
                Ok(response) => reply_response(guest, number, &response),
                Err(error) => reply_error(guest, number, &error),
            }
        }));
        match trace {
            None => self.guest.run_handler(scope, handler),
            Some(trace) => self.guest.run_traced(scope, trace, handler),
        }
    }

    /// Replies that the service lacks the method.
    #[cold]
    pub fn unimplemented(self) {
        self.refuse(Code::Unimplemented, Cause::NoSuchMethod, "");
    }

    /// Replies with a failure.
    #[cold]
    pub(crate) fn refuse(self, code: Code, cause: Cause, message: &str) {
        self.guest
            .io
            .reply_failure(self.frame.header.number, code, cause, message);
    }
}

/// Replies that the deadline has passed and that the method did not run.
#[cold]
pub(crate) fn refuse_late(cx: &Context) {
    let guest = &cx.guest;
    let number = cx.scope.number;
    guest.calls.end_inbound(number);
    guest.io.reply_failure(
        number,
        Code::DeadlineExceeded,
        Cause::Expired,
        "the deadline passed before the call began",
    );
}

pub(crate) fn reply_response(guest: &Guest, number: u64, response: &impl Message) {
    match guest.calls.take_response_metadata(number) {
        None => send_response(guest, number, response),
        Some(metadata) => send_with_metadata(guest, number, &metadata, &response.encode_to_vec()),
    }
}

/// Sends a response without metadata. Has one caller and is the only one to call [`Io::send`] for
/// a response, so that all of it is compiled into the handler's task.
///
/// [`Io::send`]: crate::runtime::io::Io::send
#[inline(always)]
fn send_response(guest: &Guest, number: u64, response: &impl Message) {
    let bytes = response.encoded_len();
    let bytes_max = guest.io.message_bytes_max.get();
    let header = Header {
        number,
        ..Header::new(Kind::Reply)
    };
    let outline = Outline {
        header,
        metadata: &[],
        detail: &[],
        payload_bytes: bytes,
    };
    let sent = bytes <= bytes_max as usize
        && guest
            .io
            .send(outline, |out| response.encode_raw(out))
            .is_ok();
    if !sent {
        reply_too_large(guest, number, bytes);
    }
}

/// Sends an encoded response with its headers and trailers.
#[cold]
fn send_with_metadata(guest: &Guest, number: u64, metadata: &CallMetadata, response: &[u8]) {
    send_headers(guest, number, &metadata.headers);
    if response.len() > guest.io.message_bytes_max.get() as usize {
        return reply_too_large(guest, number, response.len());
    }
    let header = Header {
        number,
        ..Header::new(Kind::Reply)
    };
    guest
        .io
        .send_parts(header, &metadata.trailers, None, response);
}

/// Sends the headers of a response, if there are any.
#[cold]
fn send_headers(guest: &Guest, number: u64, headers: &[u8]) {
    if !headers.is_empty() {
        let header = Header {
            number,
            ..Header::new(Kind::Open)
        };
        guest.io.send_parts(header, headers, None, &[]);
    }
}

#[cold]
fn reply_too_large(guest: &Guest, number: u64, bytes: usize) {
    let status = Status::answer_too_large(bytes, guest.io.message_bytes_max.get());
    reply_status(guest, number, &status);
}

/// Answers a call with a status of the SDK, whose cause stays the cause.
#[cold]
pub(crate) fn reply_status(guest: &Guest, number: u64, status: &Status) {
    guest
        .io
        .reply_failure(number, status.code(), status.cause(), status.message());
}

/// Answers a call with the failure of its handler.
#[inline(never)]
pub(crate) fn reply_error(guest: &Guest, number: u64, error: &impl HandlerError) {
    send_error(guest, number, error.answer());
}

#[cold]
fn send_error(guest: &Guest, number: u64, answer: Answer<'_>) {
    let metadata = guest.calls.take_response_metadata(number);
    let (headers, trailers) = match &metadata {
        None => (&[][..], &[][..]),
        Some(metadata) => (&*metadata.headers, &*metadata.trailers),
    };
    send_headers(guest, number, headers);
    let mut detail = Detail {
        details: answer.details.iter().map(OwnedDetail::borrow).collect(),
        ..Detail::new(Cause::Answered, &answer.message)
    };
    let (flags, status) = match answer.status {
        AnswerStatus::Error(0) | AnswerStatus::Code(Code::Ok) => {
            detail = Detail::new(Cause::Answered, "returned error number 0");
            (0, Code::Internal.number())
        }
        AnswerStatus::Error(number) => (flags::SERVICE_ERROR, number.cast_unsigned()),
        AnswerStatus::Code(code) => (0, code.number()),
    };
    // The number of an error says all, unless there is a message or a detail.
    let is_number_alone = flags != 0 && detail.message.is_empty() && detail.details.is_empty();
    let header = Header {
        number,
        flags,
        status,
        ..Header::new(Kind::Reply)
    };
    let detail = (!is_number_alone).then_some(detail);
    guest.io.send_parts(header, trailers, detail, &[]);
}
