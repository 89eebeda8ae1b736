//! Clients from outside: Connect, gRPC, gRPC-Web and JSON.

mod client;
mod declared;
mod errors;
mod health;
mod http_rules;
mod protocols;

use std::net::SocketAddr;

use e2e::{App, Started, guest};

use self::client::Response;

/// Path of the method that the tests call.
const ASK: &str = "/answers.v1.Answers/Ask";

/// A running deployment with an edge. The fields are dropped in this order.
struct Served {
    process: Started,
    address: SocketAddr,
    _app: App,
}

impl Served {
    /// Starts the guest `answers` behind an edge with further keys.
    fn start(keys: &str) -> Self {
        Served::with_tables(keys, "")
    }

    /// Does the same with further tables.
    fn with_tables(keys: &str, tables: &str) -> Self {
        let app = App::new(&format!(
            "[service.answers]\nwasm = \"answers.wasm\"\nbudget_max = \"400ms\"\n\
             args = [\"first\"]\n\
             [edge.public]\nlisten = \"127.0.0.1:0\"\nservices = [\"answers.v1.Answers\"]\n\
             {keys}\n{tables}"
        ))
        .with("answers.wasm", guest("answers"));
        let mut process = app.start();
        let line = process.wait_for("edge public listens on http://");
        let (_, rest) = line.split_once("http://").expect("the line has an address");
        let address = rest.split(": ").next().unwrap_or_default();
        Served {
            process,
            address: address.parse().expect("an address"),
            _app: app,
        }
    }

    /// Asks a word as JSON.
    fn ask(&self, word: &str) -> Response {
        self.ask_with(word, &[])
    }

    fn ask_with(&self, word: &str, headers: &[(&str, &str)]) -> Response {
        let json = [("content-type", "application/json")];
        let headers: Vec<_> = json.iter().chain(headers).copied().collect();
        client::post(
            self.address,
            ASK,
            &headers,
            format!("{{\"word\":\"{word}\"}}"),
        )
    }
}
