//! Calls to services whose names are known only at run time: bytes in, bytes out.

use alloc::borrow::Cow;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::pin::Pin;
use core::task::{self, Poll};
use core::time::Duration;

use parigot_abi::manifest::MethodFlags;

use crate::call::Channel;
use crate::context::Context;
use crate::detached::detach;
use crate::error::{CallError, LocateError, LocateProblem};
use crate::error_number::ErrorNumber;
use crate::metadata::Metadata;
use crate::pending::{Pending, trailers};
use crate::runtime::outbound::{Reply, frame_at, has_response};
use crate::status::{Rpc, Status};
use crate::stream::call::open;
use crate::stream::dynamic::{DynamicRequests, DynamicResponses};

/// A client without generated code, for example in a gateway or a tool: the service is named at run
/// time.
///
/// Requests and responses are protobuf messages in their wire form, which are passed on unchanged.
/// The client does not know the messages' types. The guest must require the service, by its name or
/// by its generated client:
///
/// ```
/// # mod guest {
/// # use parigot_guest::{Context, DynamicClient, Error, Exit};
/// #[parigot_guest::program(requires("greeting.v1.Greeting"))]
/// async fn main(cx: Context) -> Result<Exit, Error> {
///     cx.launch().await?;
///     let greeting = DynamicClient::locate(&cx, "greeting.v1.Greeting")?;
///     let response = greeting.call("FetchGreeting", &[0x08, 2]).await?; // tongue: French
///     parigot_guest::info!(cx, "{response:?}");
///     Ok(Exit::SUCCESS)
/// }
/// # }
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct DynamicClient {
    channel: Channel,
    /// Calls name a method by its index here.
    methods: Rc<[DynamicMethod]>,
}

struct DynamicMethod {
    name: Cow<'static, str>,
    /// The sides that stream.
    streams: MethodFlags,
}

impl DynamicClient {
    /// Returns a client of the service with this full name, which the guest must require.
    ///
    /// # Errors
    ///
    /// If the guest does not require the service, or is not launched yet.
    pub fn locate(cx: &Context, service: &str) -> Result<Self, LocateError> {
        let problem = LocateProblem::UndeclaredName;
        let index = cx.guest.find_required(service, "", problem)?;
        Self::at(cx, index)
    }

    /// Returns a client of the service that is bound to a name, `requires("…" as "name")`.
    ///
    /// # Errors
    ///
    /// If the guest does not require the service under this name, or is not launched yet.
    pub fn locate_named(cx: &Context, service: &str, binding: &str) -> Result<Self, LocateError> {
        let problem = LocateProblem::UndeclaredName;
        let index = cx.guest.find_required(service, binding, problem)?;
        Self::at(cx, index)
    }

    /// Returns a client of the required service at this index.
    fn at(cx: &Context, index: usize) -> Result<Self, LocateError> {
        let service = cx.guest.requires[index].service;
        let channel = Channel::to(cx, service, index)?;
        let methods = if service.is_by_name() {
            let names = cx.guest.lifecycle.launching.methods_of(index);
            names
                .map(|(name, streams)| DynamicMethod {
                    name: Cow::Owned(name.into()),
                    streams,
                })
                .collect()
        } else {
            service
                .methods
                .iter()
                .map(|method| DynamicMethod {
                    name: Cow::Borrowed(method.name()),
                    streams: method.flags().streams(),
                })
                .collect()
        };
        Ok(DynamicClient { channel, methods })
    }

    /// Returns the full name of the service.
    pub fn service(&self) -> &'static str {
        self.channel.service().name
    }

    /// Returns the names of the methods: those of the generated client if the guest requires the
    /// service by its client, otherwise those of the exporter.
    pub fn methods(&self) -> impl Iterator<Item = &str> {
        self.methods.iter().map(|method| &*method.name)
    }

    /// Sends a request at once to the method with this name. Returns the call, which completes with
    /// the response.
    ///
    /// Deadlines and limits are those of a generated client. If the service has no such method, or
    /// if the method streams, the call is not sent, and fails with `UNIMPLEMENTED`.
    pub fn call(&self, method: &str, request: &[u8]) -> DynamicCall {
        let (pending, rpc) = self.begin(method, |streams| streams.is_unary(), request);
        DynamicCall { pending, rpc }
    }

    /// Sends a request at once to the method with this name, whose responses stream. Otherwise as
    /// [`DynamicClient::call`].
    pub fn server_stream(&self, method: &str, request: &[u8]) -> DynamicResponses {
        let is_such =
            |streams: MethodFlags| !streams.streams_requests() && streams.streams_responses();
        let (pending, rpc) = self.begin(method, is_such, request);
        DynamicResponses::new(&open(&pending), pending, rpc, true)
    }

    /// Begins a call of the method with this name, whose requests stream. If its responses do not
    /// stream, the one response is the only item of [`DynamicResponses`]. Otherwise as
    /// [`DynamicClient::call`].
    ///
    /// ```
    /// # use parigot_guest::{DynamicClient, Error};
    /// # async fn example(feed: &DynamicClient) -> Result<(), Error> {
    /// let (mut requests, mut responses) = feed.stream("Chat");
    /// requests.send(b"\x0a\x02hi").await?;
    /// requests.finish();
    /// while let Some(response) = responses.next().await? {
    ///     // …
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn stream(&self, method: &str) -> (DynamicRequests, DynamicResponses) {
        let (pending, rpc) = self.begin(method, MethodFlags::streams_requests, &[]);
        let known = self.methods.iter().find(|known| known.name == method);
        let is_stream = known.is_some_and(|known| known.streams.streams_responses());
        let call = open(&pending);
        (
            DynamicRequests::new(&call, rpc.clone()),
            DynamicResponses::new(&call, pending, rpc, is_stream),
        )
    }

    /// Begins a call of the method with this name if its sides stream as expected.
    fn begin(
        &self,
        method: &str,
        is_expected: impl Fn(MethodFlags) -> bool,
        request: &[u8],
    ) -> (Pending, Rpc) {
        let service = self.service();
        let mut methods = self.methods.iter();
        let refused = match methods.position(|known| known.name == method) {
            Some(index) if is_expected(self.methods[index].streams) => {
                let pending = self.channel.call_bytes(index as u32, request);
                return (pending, self.rpc(self.methods[index].name.clone()));
            }
            Some(_) => format!("{service}/{method} streams in other directions"),
            None => format!("{service} has no method {method}"),
        };
        let pending = self.channel.refuse(Status::no_such_method(refused));
        (pending, self.rpc(String::from(method).into()))
    }

    fn rpc(&self, method: Cow<'static, str>) -> Rpc {
        Rpc {
            service: self.service(),
            method,
        }
    }

    /// Returns the same client with a time limit for each call.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        DynamicClient {
            channel: self.channel.with_deadline(deadline),
            ..self.clone()
        }
    }

    /// Returns the same client with one more binary metadata entry for each call: see
    /// [`Channel::with_metadata_bin`].
    #[must_use]
    pub fn with_metadata_bin(&self, key: impl Into<String>, value: &[u8]) -> Self {
        DynamicClient {
            channel: self.channel.with_metadata_bin(key, value),
            ..self.clone()
        }
    }

    /// Returns the same client with one more metadata entry for each call: see
    /// [`Channel::with_metadata`].
    #[must_use]
    pub fn with_metadata(&self, key: impl Into<String>, value: impl Into<String>) -> Self {
        DynamicClient {
            channel: self.channel.with_metadata(key, value),
            ..self.clone()
        }
    }
}

impl fmt::Debug for DynamicClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicClient")
            .field("service", &self.service())
            .finish_non_exhaustive()
    }
}

/// A call in flight of a [`DynamicClient`]. It completes with the response in its wire form, or an
/// error.
///
/// Dropping it earlier cancels the call: the callee's handler is dropped too.
///
/// # Panics
///
/// If polled after completion.
#[must_use = "dropping a call cancels it"]
pub struct DynamicCall {
    pending: Pending,
    rpc: Rpc,
}

detach! {
    impl [] DynamicCall {
        type Response = Vec<u8>;
        type Error = CallError<ErrorNumber>;
    }
    guest: |call| &call.pending.guest;
    outcome: |result| result;
}

impl Future for DynamicCall {
    type Output = Result<Vec<u8>, CallError<ErrorNumber>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        self.poll_with_metadata(cx).map_ok(|(response, _)| response)
    }
}

/// Response and its metadata, or the error.
type Answer = Result<(Vec<u8>, Metadata), CallError<ErrorNumber>>;

impl DynamicCall {
    /// Returns a call that completes with the response and its headers and trailers. The metadata
    /// of a failure is in the error: see [`CallError::metadata`].
    pub fn with_metadata(self) -> DynamicCallWithMetadata {
        DynamicCallWithMetadata { call: self }
    }

    fn poll_with_metadata(&mut self, cx: &mut task::Context<'_>) -> Poll<Answer> {
        let (number, reply) = match self.pending.poll_reply(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(ended)) => ended,
            Poll::Ready(Err(status)) => {
                return Poll::Ready(Err(CallError::Status(status.with_rpc(self.rpc.clone()))));
            }
        };
        let guest = &self.pending.guest;
        let headers = guest.calls.outbound.take_headers(number);
        let metadata = Metadata::new(headers.unwrap_or_default(), &trailers(guest, &reply));
        let response = match reply {
            Reply::InInbox { response, .. } => guest.io.inbox()[response].to_vec(),
            Reply::Copied(bytes) => match frame_at(&bytes, 0) {
                frame if has_response(&frame) => frame.payload.to_vec(),
                frame => {
                    let mut error = CallError::of_frame(&frame, self.rpc.clone());
                    error.set_headers(metadata.into_headers());
                    return Poll::Ready(Err(error));
                }
            },
        };
        Poll::Ready(Ok((response, metadata)))
    }
}

/// A call in flight that completes with the response and its metadata: see
/// [`DynamicCall::with_metadata`].
///
/// # Panics
///
/// If polled after completion.
#[must_use = "dropping a call cancels it"]
pub struct DynamicCallWithMetadata {
    call: DynamicCall,
}

detach! {
    impl [] DynamicCallWithMetadata {
        type Response = (Vec<u8>, Metadata);
        type Error = CallError<ErrorNumber>;
    }
    guest: |this| &this.call.pending.guest;
    outcome: |result| result;
}

impl Future for DynamicCallWithMetadata {
    type Output = Result<(Vec<u8>, Metadata), CallError<ErrorNumber>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        self.call.poll_with_metadata(cx)
    }
}
