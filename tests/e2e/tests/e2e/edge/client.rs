//! Small clients: HTTP/1.1 by hand, as `curl` would send it, and HTTP/2 for gRPC.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use bytes::Bytes;
use http::{HeaderMap, Method, Request};

/// Response of an edge.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Empty in HTTP/1.1.
    pub(super) trailers: HeaderMap,
}

impl Response {
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body must be text")
    }

    /// Returns the values of a header.
    pub(super) fn header(&self, name: &str) -> Vec<&str> {
        values(&self.headers, name)
    }

    /// Returns the values of a trailer.
    pub(super) fn trailer(&self, name: &str) -> Vec<&str> {
        values(&self.trailers, name)
    }
}

fn values<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h str> {
    let values = headers.get_all(name).iter();
    values
        .map(|value| value.to_str().expect("the header must be text"))
        .collect()
}

/// Sends a request by HTTP/1.1 and reads the response.
pub(super) fn http1(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let mut stream = TcpStream::connect(address).expect("the edge must listen");
    let length = body.len();
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {length}\r\n\r\n");
    stream
        .write_all(head.as_bytes())
        .expect("the edge must read");
    // The edge may answer before it has read a body that is too long.
    let _ = stream.write_all(body);
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response);
    parse(&response)
}

/// Sends a POST by HTTP/1.1.
pub(super) fn post(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Response {
    http1(address, "POST", path, headers, body.as_ref())
}

fn parse(response: &[u8]) -> Response {
    let end = response.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(response)));
    let head = std::str::from_utf8(&response[..end]).expect("the head must be text");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header has a value");
        let name: http::HeaderName = name.parse().expect("a valid name");
        headers.append(name, value.parse().expect("a valid value"));
    }
    let body = &response[end + 4..];
    let is_chunked = headers
        .get("transfer-encoding")
        .is_some_and(|value| value == "chunked");
    Response {
        status: status.expect("a status").parse().expect("a number"),
        body: match is_chunked {
            true => unchunk(body),
            false => body.to_vec(),
        },
        headers,
        trailers: HeaderMap::new(),
    }
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n");
        let end = end.expect("a chunk has a length");
        let digits = std::str::from_utf8(&rest[..end]).expect("the length must be text");
        let length = usize::from_str_radix(digits, 16).expect("the length must be a number");
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 2 + length + 2..];
    }
}

/// Sends a request by HTTP/2 without TLS.
pub(super) fn http2(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Response {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("the runtime must start");
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(()).expect("the request must be valid");
    runtime.block_on(exchange(address, request, body))
}

async fn exchange(address: SocketAddr, request: Request<()>, body: Vec<u8>) -> Response {
    let stream = tokio::net::TcpStream::connect(address).await;
    let stream = stream.expect("the edge must listen");
    let (client, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    tokio::spawn(connection);
    let mut client = client.ready().await.expect("the connection must live");
    let (response, mut sink) = client.send_request(request, false).expect("a request");
    sink.send_data(Bytes::from(body), true).expect("a body");
    let (head, mut body) = response.await.expect("a response").into_parts();
    let mut bytes = Vec::new();
    while let Some(data) = body.data().await {
        bytes.extend_from_slice(&data.expect("the body must be complete"));
    }
    let trailers = body
        .trailers()
        .await
        .expect("the response must be complete");
    Response {
        status: head.status.as_u16(),
        headers: head.headers,
        body: bytes,
        trailers: trailers.unwrap_or_default(),
    }
}
