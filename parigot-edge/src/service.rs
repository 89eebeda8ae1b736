//! One HTTP request of an edge.

use std::convert::Infallible;
use std::sync::Arc;

use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use parigot_abi::Code;
use parigot_abi::id::CallId;
use tokio::sync::Semaphore;

use crate::api::Api;
use crate::body::EdgeBody;
use crate::cors::Cors;
use crate::failure::ClientFailure;
use crate::form;
use crate::rpc::{CallInfo, Rpc};

/// Header of each response: the id of the call, as in the log.
const CALL: HeaderName = HeaderName::from_static("parigot-call");

/// Handles the requests of one edge.
pub(crate) struct EdgeService {
    api: Arc<Api>,
    rpc: Rpc,
    cors: Cors,
    /// A permit for each further call.
    calls: Arc<Semaphore>,
}

impl EdgeService {
    /// Creates the service of an edge.
    pub(crate) fn new(api: &Arc<Api>) -> Self {
        EdgeService {
            api: Arc::clone(api),
            rpc: Rpc::new(api),
            cors: Cors::new(&api.spec.cors),
            calls: Arc::new(Semaphore::new(api.spec.calls_max as usize)),
        }
    }

    /// Handles a request.
    ///
    /// # Errors
    ///
    /// Never.
    pub(crate) async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<EdgeBody>, Infallible> {
        if let Some(response) = self.probe(&request) {
            return Ok(response);
        }
        if let Some(response) = self.cors.preflight(&request) {
            return Ok(response);
        }
        let origin = self.cors.allowed_origin(request.headers());
        let mut response = self.call(request).await;
        if let Some(origin) = origin {
            Cors::permit(origin, response.headers_mut());
        }
        Ok(response)
    }

    /// Answers a health check of a load balancer that knows no gRPC; `None` for other requests.
    fn probe(&self, request: &Request<Incoming>) -> Option<Response<EdgeBody>> {
        let is_well = match request.uri().path() {
            "/healthz" => true,
            "/readyz" => self.api.is_serving(),
            _ => return None,
        };
        let (status, text) = match *request.method() {
            Method::GET | Method::HEAD if is_well => (StatusCode::OK, "ok\n"),
            Method::GET | Method::HEAD => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
            _ => (StatusCode::METHOD_NOT_ALLOWED, ""),
        };
        let mut response = Response::new(EdgeBody::text(text));
        *response.status_mut() = status;
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, plain);
        Some(response)
    }

    /// Makes a call.
    async fn call(&self, mut request: Request<Incoming>) -> Response<EdgeBody> {
        form::read_as_json(&mut request);
        let id = self.new_call_id();
        let headers = request.headers();
        let has_timeout =
            headers.contains_key("connect-timeout-ms") || headers.contains_key("grpc-timeout");
        let path = request.uri().path().to_owned();
        // Before the body is read, so that the limit bounds the memory of requests too.
        let mut response = match Arc::clone(&self.calls).try_acquire_owned() {
            Ok(permit) => {
                request
                    .extensions_mut()
                    .insert(CallInfo { id, has_timeout });
                let response = self.rpc.serve(request).await;
                response.map(|body| EdgeBody::of_call(body, permit))
            }
            Err(_) => Rpc::fail(self.overloaded(), headers).map(EdgeBody::new),
        };
        let value = HeaderValue::try_from(id.to_string()).expect("an id must be ASCII");
        response.headers_mut().insert(CALL, value);
        let edge = &self.api.spec.name;
        let status = response.status().as_u16();
        tracing::debug!(call = %id, "edge {edge}: {path} answered with HTTP status {status}");
        response
    }

    fn new_call_id(&self) -> CallId {
        let mut clients = self.api.services.values();
        let client = clients.next().expect("an edge must have a service");
        client.new_call_id()
    }

    /// Returns the failure of a call beyond the limit.
    fn overloaded(&self) -> ClientFailure {
        let calls_max = self.api.spec.calls_max;
        let text = format!("too many calls: `max_calls` of the edge is {calls_max}");
        ClientFailure::refused(Code::ResourceExhausted, text)
    }
}
