//! Outbound calls and the channels that they are made on.

use alloc::rc::Rc;
use alloc::string::String;
use core::fmt;
use core::marker::PhantomData;
use core::num::NonZeroU64;
use core::pin::Pin;
use core::task::{self, Poll};
use core::time::Duration;

use parigot_abi::frame::{NO_DEADLINE, push_pair};
use parigot_abi::{Frame, Header, Kind, Outline};
use prost::Message;
use prost::bytes::BufMut;

use crate::context::Context;
use crate::detached::detach;
use crate::error::{CallError, LocateError, LocateProblem, with_headers};
use crate::metadata::{Metadata, encode_base64};
use crate::metadata_key::may_set;
use crate::method::{Method, rpc};
use crate::pending::{Pending, trailers};
use crate::prost::decode;
use crate::runtime::guest::Guest;
use crate::runtime::outbound::{Reply, frame_at, has_response};
use crate::runtime::trace_context;
use crate::service_info::Service;
use crate::status::Status;

/// A channel to a service that the guest requires. Cheap to clone.
#[derive(Clone)]
pub struct Channel {
    guest: Rc<Guest>,
    service: &'static Service,
    handle: u32,
    /// Time limit of each call, in ns; [`NO_DEADLINE`] leaves the limit to the host.
    deadline_ns: u64,
    /// Metadata of each call, in its wire form.
    metadata: Option<Rc<[u8]>>,
}

impl Channel {
    /// Returns a channel to the service.
    ///
    /// # Errors
    ///
    /// If the guest does not require the service, or is not launched yet.
    pub fn locate(cx: &Context, service: &'static Service) -> Result<Channel, LocateError> {
        let problem = LocateProblem::Undeclared;
        let index = cx.guest.find_required(service.name, "", problem)?;
        Channel::to(cx, service, index)
    }

    /// Returns a channel to the service that is bound to a name, `requires(… as "name")`.
    ///
    /// # Errors
    ///
    /// If the guest does not require the service under this name, or is not launched yet.
    pub fn locate_named(
        cx: &Context,
        service: &'static Service,
        binding: &str,
    ) -> Result<Channel, LocateError> {
        let problem = LocateProblem::Undeclared;
        let index = cx.guest.find_required(service.name, binding, problem)?;
        Channel::to(cx, service, index)
    }

    /// Returns a channel to the service at `index` of the required ones.
    pub(crate) fn to(
        cx: &Context,
        service: &'static Service,
        index: usize,
    ) -> Result<Channel, LocateError> {
        let handle = cx
            .guest
            .lifecycle
            .launching
            .handle(index)
            .ok_or_else(|| LocateError::new(service.name, LocateProblem::NotLaunched))?;
        Ok(Channel {
            guest: Rc::clone(&cx.guest),
            service,
            handle,
            deadline_ns: NO_DEADLINE,
            metadata: None,
        })
    }

    /// Returns the service.
    pub(crate) fn service(&self) -> &'static Service {
        self.service
    }

    /// Sends a request at once. Returns the call, which completes with the reply.
    ///
    /// The call ends at the channel's deadline or at the deadline of the inbound call that the
    /// running task belongs to, whichever is earlier. A request that is larger than the host
    /// accepts is not sent: the call fails.
    pub fn call<M: Method>(&self, request: M::Request) -> Call<M> {
        Call::of(self.begin::<M>(&request))
    }

    /// Sends a request in its wire form to the method with this index.
    pub(crate) fn call_bytes(&self, method: u32, request: &[u8]) -> Pending {
        self.pending(self.send_payload(method, request.len(), |out| out.put_slice(request)))
    }

    /// Returns a call that was not sent, for this reason.
    pub(crate) fn refuse(&self, status: Status) -> Pending {
        self.pending(Err(status))
    }

    /// Sends a request at once, for a call whose responses stream.
    pub(crate) fn begin<M: Method>(&self, request: &M::Request) -> Pending {
        self.pending(self.send::<M>(request))
    }

    /// Begins a call whose requests stream.
    pub(crate) fn begin_stream<M: Method>(&self) -> Pending {
        self.call_bytes(M::INDEX, &[])
    }

    fn pending(&self, sent: Result<NonZeroU64, Status>) -> Pending {
        Pending::new(Rc::clone(&self.guest), sent)
    }

    #[inline]
    fn send<M: Method>(&self, request: &M::Request) -> Result<NonZeroU64, Status> {
        debug_assert_eq!(
            M::SERVICE.name,
            self.service.name,
            "a method must be called on its own service"
        );
        self.send_payload(M::INDEX, request.encoded_len(), |out| {
            request.encode_raw(out)
        })
    }

    /// Sends a message of `payload_bytes`, which `encode` appends. Returns the call's number.
    // Always inlined into the generated method, where length and encoding of the message are known.
    #[inline(always)]
    fn send_payload(
        &self,
        method: u32,
        payload_bytes: usize,
        encode: impl FnOnce(&mut &mut [u8]),
    ) -> Result<NonZeroU64, Status> {
        let bytes_max = self.guest.io.message_bytes_max.get();
        if payload_bytes > bytes_max as usize {
            return Err(Status::too_large(payload_bytes, bytes_max));
        }
        let number = self.guest.calls.outbound.begin();
        let header = Header {
            number: number.get(),
            service: self.handle,
            method,
            deadline_ns: self.deadline_ns(),
            id: (0, self.guest.current().on_behalf_of()),
            ..Header::new(Kind::Call)
        };
        let joined;
        let metadata = match &*self.guest.tasks.trace.borrow() {
            None => self.metadata.as_deref().unwrap_or_default(),
            Some(trace) => {
                joined = trace_context::join(self.metadata.as_deref().unwrap_or_default(), trace);
                &joined
            }
        };
        let outline = Outline {
            header,
            metadata,
            detail: &[],
            payload_bytes,
        };
        self.guest
            .io
            .send(outline, encode)
            .map(|()| number)
            .map_err(|too_long| {
                self.guest.calls.outbound.abandon(number);
                Status::too_large(too_long.bytes, bytes_max)
            })
    }

    fn deadline_ns(&self) -> u64 {
        self.guest
            .io
            .now_ns()
            .saturating_add(self.deadline_ns)
            .min(self.guest.current().deadline_ns)
    }

    /// Returns the same channel with a time limit for each call.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        let deadline_ns = u64::try_from(deadline.as_nanos()).unwrap_or(NO_DEADLINE);
        Channel {
            deadline_ns,
            ..self.clone()
        }
    }

    /// Returns the same channel with one more metadata entry for each call. A key may have several
    /// values.
    ///
    /// Only the host sets keys that begin with `parigot-`: such an entry is dropped, and the log
    /// says so.
    #[must_use]
    pub fn with_metadata(&self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.with_entry(&key.into(), &value.into(), false)
    }

    /// Returns the same channel with one more metadata entry for each call, of any bytes. The key
    /// must end with `-bin`; otherwise the entry is dropped, and the log says so.
    #[must_use]
    pub fn with_metadata_bin(&self, key: impl Into<String>, value: &[u8]) -> Self {
        self.with_entry(&key.into(), &encode_base64(value), true)
    }

    fn with_entry(&self, key: &str, value: &str, is_binary: bool) -> Self {
        if !may_set(&self.guest, key, is_binary) {
            return self.clone();
        }
        let mut metadata = self.metadata.as_deref().unwrap_or_default().to_vec();
        push_pair(&mut metadata, key, value);
        Channel {
            metadata: Some(metadata.into()),
            ..self.clone()
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("service", &self.service.name)
            .finish_non_exhaustive()
    }
}

/// A generated client of a service.
///
/// ```no_run
/// # mod greeting {
/// #     include!("../tests/behaviour/greeting.rs");
/// # }
/// # use greeting::*;
/// # use std::time::Duration;
/// # use parigot_guest::{Client, Context, Error};
/// # async fn example(cx: &Context) -> Result<(), Error> {
/// let greeting = GreetingClient::locate(cx)?
///     .with_deadline(Duration::from_secs(1))
///     .with_metadata("user", "ann");
/// greeting.fetch_greeting(FetchGreetingRequest { tongue: 1 }).await?;
/// # Ok(())
/// # }
/// # fn main() {}
/// ```
pub trait Client: Sized + 'static {
    /// The service.
    const SERVICE: &'static Service;

    /// Creates a client that makes its calls on `channel`.
    fn from_channel(channel: Channel) -> Self;

    /// Returns the channel.
    fn channel(&self) -> &Channel;

    /// Returns the same client with a time limit for each call.
    #[must_use]
    fn with_deadline(&self, deadline: Duration) -> Self {
        Self::from_channel(self.channel().with_deadline(deadline))
    }

    /// Returns the same client with one more metadata entry for each call: see
    /// [`Channel::with_metadata`].
    #[must_use]
    fn with_metadata(&self, key: impl Into<String>, value: impl Into<String>) -> Self {
        Self::from_channel(self.channel().with_metadata(key, value))
    }

    /// Returns the same client with one more binary metadata entry for each call: see
    /// [`Channel::with_metadata_bin`].
    #[must_use]
    fn with_metadata_bin(&self, key: impl Into<String>, value: &[u8]) -> Self {
        Self::from_channel(self.channel().with_metadata_bin(key, value))
    }
}

/// A call in flight: its request has been sent. It completes with the response or an error.
///
/// Dropping it earlier cancels the call: the callee's handler is dropped too.
///
/// # Panics
///
/// If polled after completion.
#[must_use = "dropping a call cancels it"]
pub struct Call<M: Method> {
    pending: Pending,
    method: PhantomData<fn() -> M>,
}

detach! {
    impl [M: Method] Call<M> {
        type Response = M::Response;
        type Error = CallError<M::Error>;
    }
    guest: |call| &call.pending.guest;
    outcome: |result| result;
}

impl<M: Method> Future for Call<M> {
    type Output = Result<M::Response, CallError<M::Error>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        match self.pending.poll_reply(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok((number, reply))) => {
                let result = read_reply::<M>(&self.pending.guest, reply);
                match self.pending.guest.calls.outbound.take_headers(number) {
                    None => Poll::Ready(result),
                    Some(headers) => Poll::Ready(with_headers(result, headers)),
                }
            }
            Poll::Ready(Err(status)) => {
                Poll::Ready(Err(CallError::Status(status.with_rpc(rpc::<M>()))))
            }
        }
    }
}

impl<M: Method> Call<M> {
    pub(crate) fn of(pending: Pending) -> Self {
        Call {
            pending,
            method: PhantomData,
        }
    }

    pub(crate) fn guest(&self) -> &Rc<Guest> {
        &self.pending.guest
    }

    /// Returns a call that completes with the response and its headers and trailers. The metadata
    /// of a failure is in the error: see [`CallError::metadata`].
    ///
    /// ```no_run
    /// # mod greeting {
    /// #     include!("../tests/behaviour/greeting.rs");
    /// # }
    /// # use greeting::*;
    /// # use parigot_guest::Error;
    /// # async fn example(greeting: &GreetingClient) -> Result<(), Error> {
    /// let request = FetchGreetingRequest { tongue: 1 };
    /// let (response, metadata) = greeting.fetch_greeting(request).with_metadata().await?;
    /// let served_by = metadata.headers().get("served-by");
    /// # Ok(())
    /// # }
    /// # fn main() {}
    /// ```
    pub fn with_metadata(self) -> CallWithMetadata<M> {
        CallWithMetadata { call: self }
    }
}

/// A call in flight that completes with the response and its metadata: see
/// [`Call::with_metadata`].
///
/// # Panics
///
/// If polled after completion.
#[must_use = "dropping a call cancels it"]
pub struct CallWithMetadata<M: Method> {
    call: Call<M>,
}

impl<M: Method> CallWithMetadata<M> {
    pub(crate) fn guest(&self) -> &Rc<Guest> {
        self.call.guest()
    }
}

detach! {
    impl [M: Method] CallWithMetadata<M> {
        type Response = (M::Response, Metadata);
        type Error = CallError<M::Error>;
    }
    guest: |this| &this.call.pending.guest;
    outcome: |result| result;
}

impl<M: Method> Future for CallWithMetadata<M> {
    type Output = Result<(M::Response, Metadata), CallError<M::Error>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        let pending = &mut self.call.pending;
        let (number, reply) = match pending.poll_reply(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(ended)) => ended,
            Poll::Ready(Err(status)) => {
                return Poll::Ready(Err(CallError::Status(status.with_rpc(rpc::<M>()))));
            }
        };
        let headers = pending.guest.calls.outbound.take_headers(number);
        let headers = headers.unwrap_or_default();
        let metadata = Metadata::new(headers.clone(), &trailers(&pending.guest, &reply));
        Poll::Ready(match read_reply::<M>(&pending.guest, reply) {
            Ok(response) => Ok((response, metadata)),
            failed => with_headers(failed, headers).map(|response| (response, metadata)),
        })
    }
}

#[inline]
fn read_reply<M: Method>(guest: &Guest, reply: Reply) -> Result<M::Response, CallError<M::Error>> {
    match reply {
        Reply::InInbox { at, response } => {
            let inbox = guest.io.inbox();
            // The error needs the whole frame, which is read again only in this rare case.
            decode(&inbox[response]).or_else(|_| read_reply_frame::<M>(&frame_at(&inbox, at)))
        }
        Reply::Copied(bytes) => read_reply_frame::<M>(&frame_at(&bytes, 0)),
    }
}

/// Reads a reply from its whole frame: one that was copied, a failure, or an undecodable response.
#[cold]
fn read_reply_frame<M: Method>(frame: &Frame<'_>) -> Result<M::Response, CallError<M::Error>> {
    if !has_response(frame) {
        return Err(CallError::of_reply::<M>(frame));
    }
    decode(frame.payload).map_err(|error| CallError::undecodable::<M>(frame, &error))
}
