//! A NATS server of a test's own.

use std::ffi::OsString;
use std::process::Command;

use crate::Started;

/// A NATS server on a port of 127.0.0.1 that was free; gone when dropped.
#[derive(Debug)]
pub struct Nats {
    port: u16,
    /// `None` while it is stopped.
    server: Option<Started>,
}

impl Nats {
    /// Starts a server and waits until it takes connections.
    ///
    /// # Panics
    ///
    /// If there is no `nats-server` to start.
    pub fn start() -> Self {
        let mut server = serve("-1");
        let line = server.wait_for("Listening for client connections on 127.0.0.1:");
        let port = line.rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("no port in {line:?}"));
        server.wait_for("Server is ready");
        Nats {
            port,
            server: Some(server),
        }
    }

    /// `nats://127.0.0.1:<port>`
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills it, so that all connections break.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Starts it again on the same port.
    ///
    /// # Panics
    ///
    /// If somebody else has taken the port.
    pub fn start_again(&mut self) {
        self.stop();
        let mut server = serve(&self.port.to_string());
        server.wait_for("Server is ready");
        self.server = Some(server);
    }

    /// Stops it where it is, so that connections stay and nothing comes through.
    pub fn freeze(&self) {
        self.server().signal("STOP");
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.server().signal("CONT");
    }

    fn server(&self) -> &Started {
        self.server.as_ref().expect("it was not stopped")
    }
}

fn serve(port: &str) -> Started {
    Started::new(Command::new(nats_server()).args(["-a", "127.0.0.1", "-p", port]))
}

/// What to start.
fn nats_server() -> OsString {
    std::env::var_os("NATS_SERVER")
        .expect("NATS_SERVER must say where nats-server is; `make test` fetches one and says so")
}
