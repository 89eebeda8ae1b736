//! Calls that arrive.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;

use parigot_abi::frame::flags;
use parigot_abi::{Cause, Code, Frame, Header, Kind, Outline};
use prost::Message;

use crate::context::Context;
use crate::prost::decode;
use crate::runtime::guest::Guest;
use crate::runtime::scope::Scope;
use crate::runtime::trace_context;
use crate::service::{MethodInfo, Service};
use crate::status::Status;

/// One rpc, as it is on the wire. The generator makes a type for each.
pub trait Method: 'static {
    /// What the caller sends.
    type Request: Message + Default;
    /// What it gets.
    type Response: Message + Default;
    /// How the service fails.
    type Error: ServiceError;
    /// The service that the method belongs to.
    const SERVICE: &'static Service;
    /// Its place in the service.
    const INDEX: u32;

    /// What the service's table says of it.
    fn info() -> &'static MethodInfo {
        &Self::SERVICE.methods[Self::INDEX as usize]
    }
}

/// The error type of a method: the error enum of its service, or [`Status`] where the service has none.
pub trait ServiceError: core::error::Error + Sized + 'static {
    /// The error of that number, if this version of the `.proto` has it.
    fn from_number(number: i32) -> Option<Self>;

    /// Its number. 0 is no error; a service that fails with it fails with INTERNAL.
    fn number(&self) -> i32;

    /// Itself, if it is a status, which then travels whole.
    #[doc(hidden)]
    fn as_status(&self) -> Option<&Status> {
        None
    }
}

/// How an `S` runs a method: the thin call to the user's function.
pub trait Serve<S>: Method {
    /// Runs it.
    fn serve(
        service: &S,
        cx: &Context,
        request: Self::Request,
    ) -> impl Future<Output = Result<Self::Response, Self::Error>>;
}

/// What hooks an `S` into the event loop as one service.
pub trait Server<S> {
    /// The service.
    const SERVICE: &'static Service;

    /// Lets the method that the call is for serve it.
    fn dispatch(service: &Rc<S>, call: Incoming<'_>);
}

/// A call that has arrived. It is consumed by what answers it.
#[must_use = "a call that nobody serves is never answered"]
pub struct Incoming<'a> {
    guest: &'a Rc<Guest>,
    frame: Frame<'a>,
}

impl<'a> Incoming<'a> {
    /// The call that arrives with that frame.
    pub(crate) fn new(guest: &'a Rc<Guest>, frame: Frame<'a>) -> Self {
        Incoming { guest, frame }
    }

    /// The place of the method in its service.
    pub fn method(&self) -> u32 {
        self.frame.header.method
    }

    /// The place of the service among the exports.
    pub(crate) fn service(&self) -> u32 {
        self.frame.header.service
    }

    /// Decodes the request, and runs the method in a task that replies.
    ///
    /// If the request is no `M::Request`, the reply says so and nothing runs.
    // A function for each method, with all that it takes to answer a call: where calls are not inlined, registers are saved.
    #[inline(never)]
    pub fn serve<M: Serve<S>, S: 'static>(self, service: &Rc<S>) {
        match decode::<M::Request>(self.frame.payload) {
            Ok(request) => self.run::<M, S>(Rc::clone(service), request),
            Err(error) => self.undecodable(M::info(), &error),
        }
    }

    #[cold]
    fn undecodable(self, method: &MethodInfo, error: &prost::DecodeError) {
        let message = format!(
            "the request of {} cannot be decoded: {error}",
            method.name()
        );
        self.refuse(Code::InvalidArgument, Cause::Undecodable, &message);
    }

    #[inline]
    fn run<M: Serve<S>, S: 'static>(self, service: Rc<S>, request: M::Request) {
        let scope = Scope::of_call(&self.frame.header);
        let trace = trace_context::of(self.frame.metadata);
        let cx = Context::of_call(Rc::clone(self.guest), &self.frame);
        // Room first, so that the future is made where it stays and not moved there.
        let room = Box::new_uninit();
        let handler = Box::into_pin(Box::write(room, async move {
            if cx.is_too_late() {
                return refuse_late(&cx);
            }
            let result = M::serve(&service, &cx, request).await;
            let (guest, number) = (&cx.guest, cx.scope.number);
            guest.end_inbound(number);
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

    /// Replies that the service has no such method.
    #[cold]
    pub fn unimplemented(self) {
        self.refuse(Code::Unimplemented, Cause::NoSuchMethod, "");
    }

    /// Replies with a failure.
    #[cold]
    pub(crate) fn refuse(self, code: Code, cause: Cause, message: &str) {
        self.guest
            .reply_failure(self.frame.header.number, code, cause, message);
    }
}

/// Replies that nobody waits any more, and that nothing was done.
#[cold]
fn refuse_late(cx: &Context) {
    let (guest, number) = (&cx.guest, cx.scope.number);
    guest.end_inbound(number);
    guest.reply_failure(
        number,
        Code::DeadlineExceeded,
        Cause::TimedOut,
        "its deadline had passed before it was begun",
    );
}

fn reply_response(guest: &Guest, number: u64, response: &impl Message) {
    let bytes = response.encoded_len();
    let bytes_max = guest.message_bytes_max.get();
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
    let sent =
        bytes <= bytes_max as usize && guest.send(outline, |out| response.encode_raw(out)).is_ok();
    if !sent {
        reply_too_large(guest, number, bytes);
    }
}

#[cold]
fn reply_too_large(guest: &Guest, number: u64, bytes: usize) {
    let status = Status::answer_too_large(bytes, guest.message_bytes_max.get());
    guest.reply_failure(number, status.code(), status.cause(), status.message());
}

#[inline(never)]
fn reply_error(guest: &Guest, number: u64, error: &impl ServiceError) {
    match (error.as_status(), error.number()) {
        (_, 0) => {
            let message =
                format!("the service failed with error number 0, which means no error: {error}");
            guest.reply_failure(number, Code::Internal, Cause::Answered, &message);
        }
        (Some(status), _) => guest.reply_failure(
            number,
            status.code(),
            Cause::Answered,
            &status.answer_text(),
        ),
        (None, error_number) => {
            let status = error_number.cast_unsigned();
            let header = Header {
                number,
                flags: flags::SERVICE_ERROR,
                status,
                ..Header::new(Kind::Reply)
            };
            guest.send_bare(header);
        }
    }
}
