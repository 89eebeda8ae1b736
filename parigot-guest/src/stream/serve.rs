//! Inbound calls of methods that stream.

use alloc::boxed::Box;
use alloc::rc::Rc;

use prost::Message;

use crate::answer::HandlerError;
use crate::context::Context;
use crate::method::Method;
use crate::prost::decode;
use crate::runtime::scope::Scope;
use crate::runtime::stream::table::Side;
use crate::runtime::trace_context;
use crate::serve::{Incoming, refuse_late, reply_error, reply_response, reply_status};
use crate::status::ServiceError;
use crate::stream::open_stream::OpenStream;
use crate::stream::requests::Requests;
use crate::stream::responses::Responses;

/// The type that handlers of a method fail with.
type FailureOf<M> = <<M as Method>::Error as ServiceError>::Failure;

/// Connects a method whose responses stream to the user's function that serves it. The generator
/// implements it.
pub trait ServeServerStream<S>: Method {
    /// Serves one call.
    fn serve(
        service: &S,
        cx: &Context,
        request: Self::Request,
        responses: &mut Responses<Self::Response>,
    ) -> impl Future<Output = Result<(), FailureOf<Self>>>;
}

/// Connects a method whose requests stream to the user's function that serves it. The generator
/// implements it.
pub trait ServeClientStream<S>: Method {
    /// Serves one call.
    fn serve(
        service: &S,
        cx: &Context,
        requests: &mut Requests<Self::Request>,
    ) -> impl Future<Output = Result<Self::Response, FailureOf<Self>>>;
}

/// Connects a method that streams in both directions to the user's function that serves it. The
/// generator implements it.
pub trait ServeBidiStream<S>: Method {
    /// Serves one call.
    fn serve(
        service: &S,
        cx: &Context,
        requests: &mut Requests<Self::Request>,
        responses: &mut Responses<Self::Response>,
    ) -> impl Future<Output = Result<(), FailureOf<Self>>>;
}

impl Incoming<'_> {
    /// Decodes the request and runs the method in a task, as [`Incoming::serve`] does.
    pub fn serve_server_stream<M, S: 'static>(self, service: &Rc<S>)
    where
        M: ServeServerStream<S>,
    {
        let service = Rc::clone(service);
        match decode::<M::Request>(self.frame.payload) {
            Ok(request) => self.run_stream::<FailureOf<M>, ()>(async move |cx, call| {
                let mut responses = Responses::new(call);
                M::serve(&service, cx, request, &mut responses).await
            }),
            Err(error) => self.undecodable(M::info(), &error),
        }
    }

    /// Runs the method in a task, as [`Incoming::serve`] does.
    pub fn serve_client_stream<M, S: 'static>(self, service: &Rc<S>)
    where
        M: ServeClientStream<S>,
    {
        let service = Rc::clone(service);
        self.run_stream::<FailureOf<M>, M::Response>(async move |cx, call| {
            let mut requests = Requests::new(call);
            M::serve(&service, cx, &mut requests).await
        });
    }

    /// Runs the method in a task, as [`Incoming::serve`] does.
    pub fn serve_bidi_stream<M, S: 'static>(self, service: &Rc<S>)
    where
        M: ServeBidiStream<S>,
    {
        let service = Rc::clone(service);
        self.run_stream::<FailureOf<M>, ()>(async move |cx, call| {
            let mut requests = Requests::new(Rc::clone(&call));
            let mut responses = Responses::new(call);
            M::serve(&service, cx, &mut requests, &mut responses).await
        });
    }

    /// Runs a handler in a task, which sends the reply.
    fn run_stream<E: HandlerError, R: Message>(
        self,
        handler: impl AsyncFnOnce(&Context, Rc<OpenStream>) -> Result<R, E> + 'static,
    ) {
        let scope = Scope::of_call(&self.frame.header);
        let trace = trace_context::of(self.frame.metadata);
        let cx = Context::of_call(Rc::clone(self.guest), self.frame);
        // Before the handler runs: items may follow in this inbox.
        let call = OpenStream::new(self.guest, Side::Callee, scope.number);
        let task = Box::pin(async move {
            if cx.is_too_late() {
                return refuse_late(&cx);
            }
            cx.guest.io.begin_call(scope.number);
            let result = handler(&cx, Rc::clone(&call)).await;
            let guest = &cx.guest;
            guest.calls.end_inbound(scope.number);
            // Whatever the handler has made of the error of its sink: a stream that lacks an item
            // must not look complete.
            if let Some(failure) = call.stream.failure.take() {
                drop(guest.calls.take_response_metadata(scope.number));
                return reply_status(guest, scope.number, &failure);
            }
            match result {
                Ok(response) => reply_response(guest, scope.number, &response),
                Err(error) => reply_error(guest, scope.number, &error),
            }
        });
        match trace {
            None => self.guest.run_handler(scope, task),
            Some(trace) => self.guest.run_traced(scope, trace, task),
        }
    }
}
