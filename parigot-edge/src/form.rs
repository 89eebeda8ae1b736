//! Requests that name no content type of a protocol, such as those of `curl -d '{…}'`.
//!
//! `curl -d` claims to send a form. Such a request is read as JSON, unless a browser may have sent
//! it: a page of any origin can post a form together with the user's cookies, and no browser asks
//! for permission first.

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request};

const FORM: &str = "application/x-www-form-urlencoded";
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Marks a request as JSON if it has no content type or that of a form, and comes from no browser.
pub(crate) fn read_as_json<B>(request: &mut Request<B>) {
    if request.method() != Method::POST || is_of_browser(request.headers()) {
        return;
    }
    let headers = request.headers_mut();
    let is_form = headers.get(header::CONTENT_TYPE).is_none_or(is_form);
    if is_form {
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
    }
}

/// Browsers send one of these headers with each `POST`.
fn is_of_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN) || headers.contains_key(SEC_FETCH_SITE)
}

fn is_form(content_type: &HeaderValue) -> bool {
    let text = content_type.to_str().unwrap_or_default();
    let name = text.split(';').next().unwrap_or_default();
    name.trim().eq_ignore_ascii_case(FORM)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the content type of a request after the conversion.
    fn content_type(headers: &[(&'static str, &'static str)]) -> Option<String> {
        let mut request = Request::builder().method(Method::POST);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).expect("the request must be valid");
        read_as_json(&mut request);
        let value = request.headers().get(header::CONTENT_TYPE)?;
        Some(value.to_str().expect("the value must be text").to_owned())
    }

    #[test]
    fn a_form_without_a_browser_is_json() {
        assert_eq!(content_type(&[]).as_deref(), Some("application/json"));
        let form = [("content-type", FORM)];
        assert_eq!(content_type(&form).as_deref(), Some("application/json"));
    }

    #[test]
    fn a_form_of_a_browser_stays_a_form() {
        for guard in [("origin", "null"), ("sec-fetch-site", "same-origin")] {
            let form = [("content-type", FORM), guard];
            assert_eq!(content_type(&form).as_deref(), Some(FORM));
            assert_eq!(content_type(&[guard]), None);
        }
    }

    #[test]
    fn other_content_types_are_kept() {
        let text = [("content-type", "text/plain")];
        assert_eq!(content_type(&text).as_deref(), Some("text/plain"));
    }
}
