//! Methods that stream: the ends of streams that handlers and callers hold.
//!
//! | method | handler | caller |
//! |---|---|---|
//! | responses stream | [`Responses`] | [`ResponseStream`] |
//! | requests stream | [`Requests`] | [`ClientStream`] |
//! | both | [`Requests`], [`Responses`] | [`RequestSink`], [`ResponseStream`] |
//!
//! The module `open_stream` is what both ends of one call share, `item_sender` sends items,
//! `item_reader` reads responses, and `call` begins the calls.
//!
//! [`Responses`]: responses::Responses
//! [`Requests`]: requests::Requests
//! [`ResponseStream`]: response_stream::ResponseStream
//! [`ClientStream`]: client_stream::ClientStream
//! [`RequestSink`]: request_sink::RequestSink

pub(crate) mod call;
pub(crate) mod client_stream;
pub(crate) mod closed;
pub(crate) mod dynamic;
pub(crate) mod item_reader;
pub(crate) mod item_sender;
pub(crate) mod open_stream;
pub(crate) mod request_sink;
pub(crate) mod requests;
pub(crate) mod response_stream;
pub(crate) mod responses;
pub(crate) mod serve;
