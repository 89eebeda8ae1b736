//! A program without a generated client for echo.v1.Echo. It logs the methods, makes the calls in
//! its arguments, and logs how each ends. A call is a method and a request in hex: `Echo=0a0107`.
//!
//! An argument that ends with a slash, `echo.v1.Other/`, is a service to locate.

use parigot_guest::{Context, DynamicClient, Error, Exit};

#[parigot_guest::program(requires("echo.v1.Echo"))]
async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let echo = DynamicClient::locate(&cx, "echo.v1.Echo")?;
    let methods: Vec<_> = echo.methods().collect();
    parigot_guest::info!(cx, "{} has {}", echo.service(), methods.join(" "));
    for argument in cx.args() {
        if let Some(service) = argument.strip_suffix('/') {
            let found = DynamicClient::locate(&cx, service).map(|client| client.service());
            parigot_guest::info!(
                cx,
                "{}",
                found.map_or_else(|error| error.to_string(), String::from)
            );
            continue;
        }
        let (method, request) = argument
            .split_once('=')
            .expect("an argument is a method and a request");
        let end = match echo.call(method, &bytes(request)).await {
            Ok(response) => hex(&response),
            Err(error) => format!("{}: {error}", error.fate()),
        };
        parigot_guest::info!(cx, "{method}: {end}");
    }
    Ok(Exit::SUCCESS)
}

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("a request is hex");
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
