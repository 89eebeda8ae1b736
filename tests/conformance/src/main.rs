//! Server under test of `connectconformance`: an edge before a guest that serves
//! `connectrpc.conformance.v1.ConformanceService`. The argument is the guest's wasm file.
//!
//! The suite writes a request to stdin, and reads the address of the server from stdout. Nothing
//! else may be written to stdout. SIGTERM ends the process.

use std::error::Error;
use std::io::{Read, Write};
use std::path::Path;

use parigot_host::Settings;
use parigot_host::deployment::Deployment;
use prost::Message;

/// `connectrpc.conformance.v1.ServerCompatRequest`, as far as it is needed.
#[derive(Clone, PartialEq, Message)]
struct ServerCompatRequest {
    #[prost(uint32, tag = "6")]
    message_receive_limit: u32,
}

/// `connectrpc.conformance.v1.ServerCompatResponse`
#[derive(Clone, PartialEq, Message)]
struct ServerCompatResponse {
    #[prost(string, tag = "1")]
    host: String,
    #[prost(uint32, tag = "2")]
    port: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let wasm = std::env::args().nth(1).ok_or("the wasm file is missing")?;
    let request = read_request()?;
    let deployment = deployment(&wasm, request.message_receive_limit)?;
    let settings = Settings {
        code_cache: parigot_host::user_code_cache(),
        ..Settings::default()
    };
    let listeners = parigot_edge::bind(&deployment)?;
    let mut running = parigot_host::start(&deployment, settings)?;
    let edge = listeners.serve(&mut running)?;
    let (_, address) = edge.addresses().first().ok_or("there is no edge")?;
    wait_until_ready(&running);
    write_response(&ServerCompatResponse {
        host: address.ip().to_string(),
        port: address.port().into(),
    })?;
    running.wait();
    edge.close();
    Ok(())
}

/// Returns a deployment with the guest. A default deadline of a day stands for none.
fn deployment(wasm: &str, message_receive_limit: u32) -> Result<Deployment, Box<dyn Error>> {
    // The limit of the suite is 200 KiB, or 0 for none.
    let max_message = match message_receive_limit {
        0 => "16MiB".to_owned(),
        limit => format!("{}KiB", limit.div_ceil(1 << 10)),
    };
    let wasm = Path::new(wasm).canonicalize()?;
    let text = format!(
        "manifest_version = 1\n[service.conformance]\nwasm = {wasm:?}\ndeadline = \"24h\"\n\
         [edge.suite]\nlisten = \"127.0.0.1:0\"\n\
         services = [\"connectrpc.conformance.v1.ConformanceService\"]\n\
         headers = [\"*\"]\ndeadline = \"24h\"\nmax_message = \"{max_message}\"\n"
    );
    Ok(Deployment::parse(&text, Path::new("conformance.toml"))?)
}

/// Blocks until the guest takes calls.
fn wait_until_ready(running: &parigot_host::Running) {
    let client = running.client("connectrpc.conformance.v1.ConformanceService");
    let client = client.expect("the edge must list the service");
    while !client.is_available() {
        std::thread::yield_now();
    }
}

fn read_request() -> Result<ServerCompatRequest, Box<dyn Error>> {
    let mut stdin = std::io::stdin().lock();
    let mut length = [0; 4];
    stdin.read_exact(&mut length)?;
    let mut bytes = vec![0; u32::from_be_bytes(length) as usize];
    stdin.read_exact(&mut bytes)?;
    Ok(ServerCompatRequest::decode(&bytes[..])?)
}

fn write_response(response: &ServerCompatResponse) -> Result<(), Box<dyn Error>> {
    let bytes = response.encode_to_vec();
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&(bytes.len() as u32).to_be_bytes())?;
    stdout.write_all(&bytes)?;
    stdout.flush()?;
    Ok(())
}
