//! Serves `connectrpc.conformance.v1.ConformanceService`, as the suite describes it.

use std::time::Duration;

use parigot_guest::prost::{Message, Name};
use parigot_guest::prost_types::Any;
use parigot_guest::{Code, Context, Status};

#[allow(dead_code, unused_imports, clippy::all, reason = "generated from the protos of the suite")]
mod generated;

use generated::connectrpc::conformance::v1::conformance_payload::RequestInfo;
use generated::connectrpc::conformance::v1::unary_response_definition::Response as Wanted;
use generated::connectrpc::conformance::v1::{
    ConformancePayload, ConformanceService, ConformanceServiceServer, Error as WantedError, Header,
    IdempotentUnaryRequest, IdempotentUnaryResponse, UnaryRequest, UnaryResponse,
    UnaryResponseDefinition, UnimplementedRequest, UnimplementedResponse,
};

/// A deadline that is later is the default of the deployment.
const LATEST: Duration = Duration::from_secs(3_600);

#[derive(Default)]
struct Suite;

impl ConformanceService for Suite {
    async fn unary(&self, cx: &Context, request: UnaryRequest) -> Result<UnaryResponse, Status> {
        let info = request_info(cx, &request);
        let payload = respond(cx, request.response_definition, info).await?;
        Ok(UnaryResponse {
            payload: Some(payload),
        })
    }

    async fn idempotent_unary(
        &self,
        cx: &Context,
        request: IdempotentUnaryRequest,
    ) -> Result<IdempotentUnaryResponse, Status> {
        let info = request_info(cx, &request);
        let payload = respond(cx, request.response_definition, info).await?;
        Ok(IdempotentUnaryResponse {
            payload: Some(payload),
        })
    }

    async fn unimplemented(
        &self,
        _: &Context,
        _: UnimplementedRequest,
    ) -> Result<UnimplementedResponse, Status> {
        Err(Status::new(Code::Unimplemented, "not implemented"))
    }
}

/// Responds as the request wants.
async fn respond(
    cx: &Context,
    wanted: Option<UnaryResponseDefinition>,
    info: RequestInfo,
) -> Result<ConformancePayload, Status> {
    let wanted = wanted.unwrap_or_default();
    for Header { name, value } in &wanted.response_headers {
        value.iter().for_each(|value| cx.set_header(name, value));
    }
    for Header { name, value } in &wanted.response_trailers {
        value.iter().for_each(|value| cx.set_trailer(name, value));
    }
    cx.sleep(Duration::from_millis(wanted.response_delay_ms.into()))
        .await;
    match wanted.response {
        Some(Wanted::Error(error)) => Err(failure(error, info)),
        Some(Wanted::ResponseData(data)) => Ok(ConformancePayload {
            data,
            request_info: Some(info),
        }),
        None => Ok(ConformancePayload {
            data: Vec::new(),
            request_info: Some(info),
        }),
    }
}

/// Returns what the guest knows of the request.
fn request_info<M: Message + Name>(cx: &Context, request: &M) -> RequestInfo {
    let mut request_headers: Vec<Header> = Vec::new();
    for (name, value) in cx.metadata_pairs() {
        match request_headers.iter_mut().find(|header| header.name == name) {
            Some(header) => header.value.push(value.to_owned()),
            None => request_headers.push(Header {
                name: name.to_owned(),
                value: vec![value.to_owned()],
            }),
        }
    }
    let left = cx.deadline().map(|deadline| deadline.saturating_since(cx.now()));
    RequestInfo {
        request_headers,
        timeout_ms: left
            .filter(|left| *left < LATEST)
            .map(|left| left.as_nanos().div_ceil(1_000_000) as i64),
        requests: vec![Any {
            type_url: M::type_url(),
            value: request.encode_to_vec(),
        }],
        connect_get_info: None,
    }
}

/// Returns the status that the request wants. Its own information is the last detail.
fn failure(error: WantedError, info: RequestInfo) -> Status {
    let code = Code::from_number(error.code as u32).unwrap_or(Code::Unknown);
    let mut status = Status::new(code, error.message.unwrap_or_default());
    for detail in &error.details {
        // The suite sends details of this type alone.
        if let Ok(header) = Header::decode(&detail.value[..]) {
            status = status.with_detail(&header);
        }
    }
    status.with_detail(&info)
}

parigot_guest::service!(Suite, exports(ConformanceServiceServer));
