//! The service `grpc.reflection.v1.ServerReflection`, also by its older name.

mod builtin;
mod message;

use std::collections::BTreeSet;

use parigot_abi::Code;
use prost::Message as _;

use self::message::{
    ErrorResponse, FileDescriptorResponse, ListServiceResponse, MessageRequest, MessageResponse,
    ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
};
use crate::api::Api;

pub(crate) use self::builtin::exported;

/// Paths of the only method, of both versions. Their messages are the same.
pub(crate) const PATHS: &[&str] = &[
    "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Services of the edge itself that a client may call.
const OWN: &[&str] = &[
    crate::health::SERVICE,
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

/// Returns the response to one request of the stream; `None` if the request cannot be decoded.
pub(crate) fn answer(api: &Api, request: &[u8]) -> Option<Vec<u8>> {
    let request = ServerReflectionRequest::decode(request).ok()?;
    let response = match &request.message {
        Some(MessageRequest::ListServices(_)) => Ok(services(api)),
        Some(MessageRequest::FileByFilename(name)) => files(api, name),
        Some(MessageRequest::FileContainingSymbol(symbol)) => {
            match api.schemas.file_of_symbol(symbol) {
                Some(file) => files(api, file),
                None => Err((Code::NotFound, format!("unknown symbol: {symbol}"))),
            }
        }
        Some(MessageRequest::FileContainingExtension(_) | MessageRequest::AllExtensions(_)) => {
            let message = "extensions cannot be looked up";
            Err((Code::Unimplemented, message.to_owned()))
        }
        None => Err((Code::InvalidArgument, "the request is empty".to_owned())),
    };
    let response = response.unwrap_or_else(|(code, message)| {
        MessageResponse::Error(ErrorResponse {
            error_code: code.number() as i32,
            error_message: message,
        })
    });
    let response = ServerReflectionResponse {
        valid_host: request.host.clone(),
        original_request: Some(request),
        message: Some(response),
    };
    Some(response.encode_to_vec())
}

fn services(api: &Api) -> MessageResponse {
    let listed = api.services.keys().map(String::as_str);
    let names: BTreeSet<&str> = listed.chain(OWN.iter().copied()).collect();
    let service = |name: &str| ServiceResponse {
        name: name.to_owned(),
    };
    MessageResponse::ListServices(ListServiceResponse {
        service: names.into_iter().map(service).collect(),
    })
}

/// Returns a file and all files that it imports, directly or indirectly.
fn files(api: &Api, name: &str) -> Result<MessageResponse, (Code, String)> {
    if api.schemas.file(name).is_none() {
        return Err((Code::NotFound, format!("unknown file: {name}")));
    }
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut pending = vec![name.to_owned()];
    while let Some(name) = pending.pop() {
        if let Some(file) = api.schemas.file(&name)
            && seen.insert(name)
        {
            found.push(file.bytes.clone());
            pending.extend(file.imports.iter().cloned());
        }
    }
    Ok(MessageResponse::Files(FileDescriptorResponse {
        file_descriptor_proto: found,
    }))
}
