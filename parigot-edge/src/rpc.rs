//! The protocols: Connect, gRPC and gRPC-Web, each with protobuf and JSON.
//!
//! The only file that names types of connectrpc, whose minor versions break.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use connectrpc::dispatcher::{
    Dispatcher, MethodDescriptor, RequestStream, StreamingResult, UnaryResult,
};
use connectrpc::{
    CodecFormat, ConnectError, ConnectRpcBody, ConnectRpcService, DeadlinePolicy, EncodedBody,
    EncodedResponse, EncodedStream, ErrorCode, ErrorDetail, Limits, MethodKind, Payload,
    RequestContext,
};
use futures_util::{StreamExt as _, stream};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt as _;
use parigot_abi::id::CallId;
use parigot_abi::{Code, Fate};
use parigot_host::client;
use tower_service::Service as _;

use crate::api::Api;
use crate::body::ResponseBody;
use crate::failure::{ClientFailure, FailureForm};
use crate::routes::{GuestRoute, Route, Routes};
use crate::{health, metadata, reflection};

/// Header of a response: the fate of a failed call.
pub(crate) const FATE: HeaderName = HeaderName::from_static("parigot-fate");

/// A call before its dispatch, in the extensions of its request.
#[derive(Clone, Copy)]
pub(crate) struct CallInfo {
    pub(crate) id: CallId,
    /// Set if the client asked for a deadline.
    pub(crate) has_timeout: bool,
}

/// Service of all protocols.
#[derive(Clone)]
pub(crate) struct Rpc {
    service: ConnectRpcService<EdgeDispatcher>,
}

impl Rpc {
    /// Creates the service of an edge.
    pub(crate) fn new(api: &Arc<Api>) -> Self {
        let bytes_max = api.spec.message_bytes_max as usize;
        // The frame of a message has five bytes more.
        let limits = Limits::default()
            .with_max_message_size(bytes_max)
            .with_max_request_body_size(bytes_max.saturating_add(5));
        // The deadline also covers the time in which a slow client sends its request.
        let deadlines = DeadlinePolicy::new()
            .with_max(api.spec.deadline)
            .with_default_timeout(api.spec.deadline);
        let dispatcher = EdgeDispatcher {
            api: Arc::clone(api),
            routes: Arc::new(Routes::new(api)),
        };
        let service = ConnectRpcService::new(dispatcher)
            .with_limits(limits)
            .with_deadline_policy(deadlines);
        Rpc { service }
    }

    /// Handles one request.
    pub(crate) async fn serve<B>(&self, request: Request<B>) -> Response<ResponseBody>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let response = self.service.clone().call(request).await;
        response.unwrap_or_else(|never| match never {}).map(boxed)
    }

    /// Returns the response for a failure, in the protocol of a request with these headers.
    pub(crate) fn fail(failure: ClientFailure, request: &HeaderMap) -> Response<ResponseBody> {
        let error = connect_error(failure, HeaderMap::new(), HeaderMap::new());
        error.into_http_response(request).map(boxed)
    }
}

/// Returns a body of the library as that of a response. The library's body hides a known length.
fn boxed(body: ConnectRpcBody) -> ResponseBody {
    match body {
        ConnectRpcBody::Full(body) => body.boxed_unsync(),
        other => other.boxed_unsync(),
    }
}

/// Gives requests to guests, and answers those for the edge itself.
#[derive(Clone)]
struct EdgeDispatcher {
    api: Arc<Api>,
    routes: Arc<Routes>,
}

impl Dispatcher for EdgeDispatcher {
    fn lookup(&self, path: &str) -> Option<MethodDescriptor> {
        Some(match self.routes.get(path)? {
            Route::HealthCheck => MethodDescriptor::unary(true),
            Route::HealthWatch => MethodDescriptor::server_streaming(),
            Route::Reflection => MethodDescriptor::bidi_streaming(),
            Route::Guest(route) => {
                let kind = match (
                    route.method.streams_requests,
                    route.method.streams_responses,
                ) {
                    (false, false) => MethodKind::Unary,
                    (false, true) => MethodKind::ServerStreaming,
                    (true, false) => MethodKind::ClientStreaming,
                    (true, true) => MethodKind::BidiStreaming,
                };
                let is_unary = kind == MethodKind::Unary;
                MethodDescriptor::from_kind(kind)
                    .with_idempotent(is_unary && route.method.has_no_side_effects)
            }
        })
    }

    fn call_unary(
        &self,
        path: &str,
        ctx: RequestContext,
        request: Payload,
        format: CodecFormat,
    ) -> UnaryResult {
        let Some(route) = self.routes.get(path).cloned() else {
            return Box::pin(std::future::ready(Err(no_such_method(path))));
        };
        let api = Arc::clone(&self.api);
        Box::pin(async move {
            let request = request.encoded()?;
            match route {
                Route::Guest(route) => call_guest(&api, &route, &ctx, &request, format).await,
                _ => check_health(&api, &request, format),
            }
        })
    }

    fn call_server_streaming(
        &self,
        path: &str,
        _ctx: RequestContext,
        request: Bytes,
        format: CodecFormat,
    ) -> StreamingResult {
        let result = match self.routes.get(path) {
            Some(Route::HealthWatch) => watch_health(&self.api, &request, format),
            _ => Err(streams(path)),
        };
        Box::pin(std::future::ready(result))
    }

    fn call_client_streaming(
        &self,
        path: &str,
        _ctx: RequestContext,
        _requests: RequestStream,
        _format: CodecFormat,
    ) -> UnaryResult {
        Box::pin(std::future::ready(Err(streams(path))))
    }

    fn call_bidi_streaming(
        &self,
        path: &str,
        _ctx: RequestContext,
        requests: RequestStream,
        format: CodecFormat,
    ) -> StreamingResult {
        let result = match self.routes.get(path) {
            Some(Route::Reflection) if format == CodecFormat::Proto => {
                Ok(reflect(&self.api, requests))
            }
            _ => Err(streams(path)),
        };
        Box::pin(std::future::ready(result))
    }
}

/// Calls a method of a guest.
async fn call_guest(
    api: &Api,
    route: &GuestRoute,
    ctx: &RequestContext,
    request: &[u8],
    format: CodecFormat,
) -> Result<EncodedResponse, ConnectError> {
    let refuse = |message: String| {
        let failure = ClientFailure::refused(Code::InvalidArgument, message);
        connect_error(failure, HeaderMap::new(), HeaderMap::new())
    };
    let metadata = metadata::of_request(ctx.headers(), &api.spec.headers);
    let metadata = metadata.map_err(|header| refuse(format!("{} is not UTF-8", header.name)))?;
    let types = route.schema.as_ref();
    let payload = decode(api, types.map(|types| &*types.request), request, format);
    let info = ctx.extensions().get::<CallInfo>().copied();
    let id = info.map_or_else(|| route.client.new_call_id(), |info| info.id);
    let pending = route.client.call(client::Request {
        id,
        method: route.method.name.clone(),
        metadata,
        payload: payload.map_err(refuse)?,
        timeout: timeout(
            api,
            route,
            info.is_some_and(|info| info.has_timeout),
            ctx.deadline(),
        ),
    });
    let reply = pending.await;
    let headers = metadata::of_reply(&reply.headers);
    let trailers = metadata::of_reply(&reply.trailers);
    let form = FailureForm {
        schemas: &api.schemas,
        texts: api.spec.errors,
    };
    let service = route.client.service();
    let payload = reply
        .result
        .map_err(|failure| form.of_call(service, id, failure));
    let body = payload.and_then(|payload| {
        encode(api, types.map(|types| &*types.response), payload, format).map_err(|reason| {
            let path = format!("{service}/{}", route.method.name);
            tracing::warn!(call = %id, "the response of {path} has no JSON: {reason}");
            ClientFailure::answer_lost("the response cannot be written as JSON")
        })
    });
    match body {
        Ok(body) => {
            let mut response = connectrpc::Response::new(EncodedBody::from(body));
            response.headers = headers;
            response.trailers = trailers;
            Ok(response)
        }
        Err(failure) => Err(connect_error(failure, headers, trailers)),
    }
}

/// Returns the time until the deadline of a call; `None` for the default of the method.
///
/// A default must be told from a deadline of the client: guests pass on the difference.
fn timeout(
    api: &Api,
    route: &GuestRoute,
    is_of_client: bool,
    deadline: Option<Instant>,
) -> Option<Duration> {
    let is_default = !is_of_client && route.method.deadline <= api.spec.deadline;
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    left.filter(|_| !is_default)
}

/// Converts a request to protobuf.
///
/// # Errors
///
/// With a text for the client.
fn decode(
    api: &Api,
    message: Option<&str>,
    request: &[u8],
    format: CodecFormat,
) -> Result<Vec<u8>, String> {
    match (format, message) {
        (CodecFormat::Json, Some(message)) => {
            let proto = api.schemas.to_proto(message, request);
            proto.map_err(|error| format!("the request is not JSON of {message}: {error}"))
        }
        (CodecFormat::Json, None) => Err("the service has no descriptors for JSON".to_owned()),
        _ => Ok(request.to_vec()),
    }
}

/// Converts a response from protobuf.
///
/// # Errors
///
/// With a text for the log.
fn encode(
    api: &Api,
    message: Option<&str>,
    response: Vec<u8>,
    format: CodecFormat,
) -> Result<Bytes, String> {
    let converted = match (format, message) {
        (CodecFormat::Json, Some(message)) => {
            let json = api.schemas.to_json(message, &response);
            json.map_err(|error| error.to_string())?
        }
        _ => response,
    };
    Ok(converted.into())
}

fn check_health(
    api: &Api,
    request: &[u8],
    format: CodecFormat,
) -> Result<EncodedResponse, ConnectError> {
    let service = health_request(api, request, format)?;
    let status = health::status(api, &service)
        .ok_or_else(|| ConnectError::not_found(format!("unknown service: {service}")))?;
    let body = health_response(api, status, format)?;
    Ok(connectrpc::Response::new(body))
}

fn watch_health(
    api: &Arc<Api>,
    request: &[u8],
    format: CodecFormat,
) -> Result<connectrpc::Response<EncodedStream>, ConnectError> {
    let service = health_request(api, request, format)?;
    let statuses = health::watch(Arc::clone(api), service);
    let api = Arc::clone(api);
    let bodies = statuses.map(move |status| health_response(&api, status, format));
    Ok(connectrpc::Response::new(Box::pin(bodies)))
}

/// Returns the name of the service in a request for its health.
fn health_request(api: &Api, request: &[u8], format: CodecFormat) -> Result<String, ConnectError> {
    let request = decode(api, Some(health::REQUEST), request, format);
    let request = request.map_err(ConnectError::invalid_argument)?;
    let undecodable = || ConnectError::invalid_argument("the request cannot be decoded");
    health::requested_service(&request).ok_or_else(undecodable)
}

fn health_response(
    api: &Api,
    status: health::ServingStatus,
    format: CodecFormat,
) -> Result<EncodedBody, ConnectError> {
    let response = health::response(status);
    let body = encode(api, Some(health::RESPONSE), response, format);
    body.map(EncodedBody::from).map_err(ConnectError::internal)
}

/// Answers the requests of a reflection stream, each by one response.
fn reflect(api: &Arc<Api>, requests: RequestStream) -> connectrpc::Response<EncodedStream> {
    let state = (Arc::clone(api), requests);
    let responses = stream::try_unfold(state, |(api, mut requests)| async move {
        let Some(request) = requests.next().await.transpose()? else {
            return Ok(None);
        };
        let undecodable = || ConnectError::invalid_argument("the request cannot be decoded");
        let response = reflection::answer(&api, &request).ok_or_else(undecodable)?;
        let body = EncodedBody::from(Bytes::from(response));
        Ok(Some((body, (api, requests))))
    });
    connectrpc::Response::new(Box::pin(responses))
}

fn no_such_method(path: &str) -> ConnectError {
    ConnectError::unimplemented(format!("method not found: {path}"))
}

/// Returns the error of a method whose streams the edge cannot carry.
fn streams(path: &str) -> ConnectError {
    let failure = ClientFailure::refused(
        Code::Unimplemented,
        format!("{path} streams, which this edge does not support"),
    );
    connect_error(failure, HeaderMap::new(), HeaderMap::new())
}

/// Returns a failure in the form of the library.
fn connect_error(
    failure: ClientFailure,
    mut headers: HeaderMap,
    trailers: HeaderMap,
) -> ConnectError {
    let ClientFailure {
        code,
        message,
        details,
        fate,
    } = failure;
    headers.insert(FATE, fate_value(fate));
    let code = ErrorCode::from_grpc_code(code.number()).unwrap_or(ErrorCode::Unknown);
    let details = details.into_iter().map(|detail| ErrorDetail {
        type_url: detail.type_name,
        value: Some(STANDARD_NO_PAD.encode(detail.value)),
        debug: None,
    });
    let mut error = ConnectError::new(code, message)
        .with_headers(headers)
        .with_trailers(trailers);
    error.details = details.collect();
    error
}

fn fate_value(fate: Fate) -> HeaderValue {
    HeaderValue::from_static(fate.name())
}
