//! Requests from web pages of other origins.
//!
//! Without `cors` in the deployment, a browser lets no page of another origin read a response.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};

use crate::body::EdgeBody;

/// Request headers of the protocols that browsers send.
const PROTOCOL_HEADERS: &str = "content-type, connect-protocol-version, connect-timeout-ms, \
                                grpc-timeout, x-grpc-web, x-user-agent";

/// Response headers that a page may read.
const EXPOSED_HEADERS: &str = "grpc-status, grpc-message, grpc-status-details-bin, \
                               content-encoding, connect-content-encoding, parigot-call, \
                               parigot-fate";

/// Seconds for which a browser remembers the permission.
const MAX_AGE_SECONDS: &str = "7200";

/// Permission of an edge.
pub(crate) struct Cors {
    /// Origins in lower case; `*` stands for all.
    origins: Vec<String>,
}

impl Cors {
    /// Creates the permission of these origins.
    pub(crate) fn new(origins: &[String]) -> Self {
        Cors {
            origins: origins.to_vec(),
        }
    }

    /// Returns the origin of a request if pages of that origin may call.
    pub(crate) fn allowed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let text = origin.to_str().ok()?.to_ascii_lowercase();
        let is_allowed = |allowed: &String| *allowed == text || allowed == "*";
        self.origins.iter().any(is_allowed).then(|| origin.clone())
    }

    /// Answers the request by which a browser asks for permission; `None` for other requests.
    pub(crate) fn preflight<B>(&self, request: &Request<B>) -> Option<Response<EdgeBody>> {
        let headers = request.headers();
        let asks = request.method() == Method::OPTIONS
            && headers.contains_key(header::ORIGIN)
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !asks {
            return None;
        }
        let mut response = Response::new(EdgeBody::text(""));
        let Some(origin) = self.allowed_origin(headers) else {
            *response.status_mut() = StatusCode::FORBIDDEN;
            return Some(response);
        };
        *response.status_mut() = StatusCode::NO_CONTENT;
        let asked = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
        let allowed = asked.cloned();
        let allowed = allowed.unwrap_or(HeaderValue::from_static(PROTOCOL_HEADERS));
        let answer = response.headers_mut();
        answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        set(answer, header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST");
        set(answer, header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECONDS);
        allow(answer, origin);
        Some(response)
    }

    /// Adds the permission of an origin to a response.
    pub(crate) fn permit(origin: HeaderValue, headers: &mut HeaderMap) {
        set(
            headers,
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            EXPOSED_HEADERS,
        );
        allow(headers, origin);
    }
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    // A cache must not answer a page with the permission of another origin.
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preflight(origins: &[&str], origin: &str) -> Response<EdgeBody> {
        let origins: Vec<_> = origins.iter().map(|origin| (*origin).to_owned()).collect();
        let request = Request::builder()
            .method(Method::OPTIONS)
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST")
            .header(header::ACCESS_CONTROL_REQUEST_HEADERS, "x-trace")
            .body(())
            .expect("the request must be valid");
        let response = Cors::new(&origins).preflight(&request);
        response.expect("the request must be a preflight")
    }

    #[test]
    fn listed_origins_may_call() {
        let response = preflight(&["https://app.example.com"], "https://App.example.com");
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        let headers = response.headers();
        assert_eq!(
            headers["access-control-allow-origin"],
            "https://App.example.com"
        );
        assert_eq!(headers["access-control-allow-headers"], "x-trace");
        assert_eq!(headers["vary"], "origin");
        assert_eq!(
            preflight(&["*"], "https://a.example").status(),
            StatusCode::NO_CONTENT
        );
    }

    #[test]
    fn other_origins_may_not_call() {
        for origins in [&[][..], &["https://app.example.com"]] {
            let response = preflight(origins, "https://evil.example");
            assert_eq!(response.status(), StatusCode::FORBIDDEN);
            assert!(
                !response
                    .headers()
                    .contains_key("access-control-allow-origin")
            );
        }
    }
}
