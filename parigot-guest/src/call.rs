//! Calls that leave.

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
use crate::error::{CallError, LocateError, LocateProblem};
use crate::prost::decode;
use crate::runtime::guest::Guest;
use crate::runtime::outbound::{Reply, frame_at, went_well};
use crate::runtime::trace_context;
use crate::serve::Method;
use crate::service::Service;
use crate::status::{Rpc, Status};

/// A way to a service that the guest requires. Cheap to clone.
#[derive(Clone)]
pub struct Channel {
    guest: Rc<Guest>,
    service: &'static Service,
    handle: u32,
    /// How long each call may take; [`NO_DEADLINE`] leaves it to the host.
    deadline_ns: u64,
    /// What each call bears, in its wire form.
    metadata: Option<Rc<[u8]>>,
}

impl Channel {
    /// The way to that service.
    ///
    /// # Errors
    ///
    /// If the guest does not require it, or is not launched yet.
    pub fn locate(cx: &Context, service: &'static Service) -> Result<Channel, LocateError> {
        let required = cx
            .guest
            .requires
            .iter()
            .position(|required| required.name == service.name);
        let place =
            required.ok_or_else(|| LocateError::new(service.name, LocateProblem::Undeclared))?;
        Channel::to(cx, service, place)
    }

    /// The way to the service that is required at that place.
    pub(crate) fn to(
        cx: &Context,
        service: &'static Service,
        place: usize,
    ) -> Result<Channel, LocateError> {
        let handle = cx.guest.launching.handle(place);
        let handle =
            handle.ok_or_else(|| LocateError::new(service.name, LocateProblem::NotLaunched))?;
        Ok(Channel {
            guest: Rc::clone(&cx.guest),
            service,
            handle,
            deadline_ns: NO_DEADLINE,
            metadata: None,
        })
    }

    /// The service that it leads to.
    pub(crate) fn service(&self) -> &'static Service {
        self.service
    }

    /// Sends a request at once and returns the call, which completes with the reply.
    ///
    /// The call ends at the channel's deadline or at that of the inbound call which the running task works for, whichever
    /// is earlier. A request that is longer than the host lets through is not sent: the call fails.
    pub fn call<M: Method>(&self, request: M::Request) -> Call<M> {
        Call {
            pending: self.pending(self.send::<M>(&request)),
            method: PhantomData,
        }
    }

    /// The same with a message in its wire form, to the method at that place.
    pub(crate) fn call_bytes(&self, method: u32, request: &[u8]) -> Pending {
        self.pending(self.send_payload(method, request.len(), |out| out.put_slice(request)))
    }

    /// A call that was not sent, for that reason.
    pub(crate) fn refuse(&self, status: Status) -> Pending {
        self.pending(Err(status))
    }

    fn pending(&self, sent: Result<NonZeroU64, Status>) -> Pending {
        let guest = Rc::clone(&self.guest);
        match sent {
            Ok(number) => Pending {
                guest,
                number: Some(number),
                refused: None,
            },
            Err(status) => Pending {
                guest,
                number: None,
                refused: Some(status),
            },
        }
    }

    #[inline]
    fn send<M: Method>(&self, request: &M::Request) -> Result<NonZeroU64, Status> {
        debug_assert_eq!(
            M::SERVICE.name,
            self.service.name,
            "a method is called on its own service"
        );
        self.send_payload(M::INDEX, request.encoded_len(), |out| {
            request.encode_raw(out)
        })
    }

    /// Sends a message of so many bytes that `encode` appends, and returns the call's number.
    #[inline(always)]
    fn send_payload(
        &self,
        method: u32,
        payload_bytes: usize,
        encode: impl FnOnce(&mut &mut [u8]),
    ) -> Result<NonZeroU64, Status> {
        let bytes_max = self.guest.message_bytes_max.get();
        if payload_bytes > bytes_max as usize {
            return Err(Status::too_large(payload_bytes, bytes_max));
        }
        let number = self.guest.in_flight.begin();
        let header = Header {
            number: number.get(),
            service: self.handle,
            method,
            deadline_ns: self.deadline_ns(),
            ..Header::new(Kind::Call)
        };
        let joined;
        let metadata = match &*self.guest.trace.borrow() {
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
            .send(outline, encode)
            .map(|()| number)
            .map_err(|too_long| {
                self.guest.in_flight.abandon(number);
                Status::too_large(too_long.bytes, bytes_max)
            })
    }

    fn deadline_ns(&self) -> u64 {
        self.guest
            .now()
            .ns()
            .saturating_add(self.deadline_ns)
            .min(self.guest.current().deadline_ns)
    }

    /// The same way, on which each call may take that long.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        let deadline_ns = u64::try_from(deadline.as_nanos()).unwrap_or(NO_DEADLINE);
        Channel {
            deadline_ns,
            ..self.clone()
        }
    }

    /// The same way, on which each call bears another key and value.
    #[must_use]
    pub fn with_metadata(&self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let mut metadata = self.metadata.as_deref().unwrap_or_default().to_vec();
        push_pair(&mut metadata, &key.into(), &value.into());
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

/// The generated client of a service.
pub trait Client: Sized + 'static {
    /// The service.
    const SERVICE: &'static Service;

    /// The client that calls over that channel.
    fn from_channel(channel: Channel) -> Self;

    /// The channel that it calls over.
    fn channel(&self) -> &Channel;

    /// The same client, each of whose calls may take that long.
    #[must_use]
    fn with_deadline(&self, deadline: Duration) -> Self {
        Self::from_channel(self.channel().with_deadline(deadline))
    }

    /// The same client, each of whose calls bears another key and value.
    #[must_use]
    fn with_metadata(&self, key: impl Into<String>, value: impl Into<String>) -> Self {
        Self::from_channel(self.channel().with_metadata(key, value))
    }
}

/// A call in flight; its request has been sent. It completes with the response or with why there is none.
///
/// Dropping it before that cancels the call: the callee's handler is dropped too.
///
/// # Panics
///
/// If it is polled after it has completed.
#[must_use = "dropping a call cancels it"]
pub struct Call<M: Method> {
    pending: Pending,
    method: PhantomData<fn() -> M>,
}

detach! {
    impl [M: Method] Call<M> { type Response = M::Response; type Error = CallError<M::Error>; }
    guest: |call| &call.pending.guest;
    outcome: |result| result;
}

impl<M: Method> Future for Call<M> {
    type Output = Result<M::Response, CallError<M::Error>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        match self.pending.poll_reply(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(reply)) => Poll::Ready(read_reply::<M>(&self.pending.guest, reply)),
            Poll::Ready(Err(status)) => {
                Poll::Ready(Err(CallError::Status(status.with_rpc(rpc::<M>()))))
            }
        }
    }
}

/// A call that waits for its reply, whatever that is. Dropping it cancels the call.
pub(crate) struct Pending {
    pub(crate) guest: Rc<Guest>,
    /// Its number, until it has ended.
    number: Option<NonZeroU64>,
    /// Why it never left the guest.
    refused: Option<Status>,
}

impl Pending {
    /// Hands over the reply, or why the call was not sent.
    ///
    /// # Panics
    ///
    /// If it has done so before.
    #[inline]
    pub(crate) fn poll_reply(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<Reply, Status>> {
        let Some(number) = self.number else {
            return Poll::Ready(Err(self.take_refusal()));
        };
        let Some(reply) = self.guest.poll_call(number, cx.waker()) else {
            return Poll::Pending;
        };
        self.number = None;
        Poll::Ready(Ok(reply))
    }

    #[cold]
    fn take_refusal(&mut self) -> Status {
        self.refused
            .take()
            .expect("a call was polled after it had completed")
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(number) = self.number
            && self.guest.in_flight.abandon(number)
        {
            self.guest.send_bare(Header {
                number: number.get(),
                ..Header::new(Kind::Cancel)
            });
        }
    }
}

#[inline]
fn read_reply<M: Method>(guest: &Guest, reply: Reply) -> Result<M::Response, CallError<M::Error>> {
    match reply {
        Reply::Here { at, response } => guest.read_inbox(|inbox| {
            decode(&inbox[response]).or_else(|_| read_reply_frame::<M>(&frame_at(inbox, at)))
        }),
        Reply::Kept(bytes) => read_reply_frame::<M>(&frame_at(&bytes, 0)),
    }
}

/// The same of a reply that is read again, for it was kept, or bears no response, or one that is no message.
#[cold]
fn read_reply_frame<M: Method>(frame: &Frame<'_>) -> Result<M::Response, CallError<M::Error>> {
    if !went_well(frame) {
        return Err(CallError::of_reply::<M>(frame));
    }
    decode(frame.payload).map_err(|error| CallError::undecodable::<M>(frame, &error))
}

pub(crate) fn rpc<M: Method>() -> Rpc {
    Rpc {
        service: M::SERVICE.name,
        method: M::info().name().into(),
    }
}
