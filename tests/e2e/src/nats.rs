//! NATS servers.
//!
//! Each test starts its own: many stop, freeze or restart it, and a start takes milliseconds.

use std::ffi::OsString;
use std::process::Command;

use tempfile::TempDir;

use crate::Started;

/// A NATS server on a free port of 127.0.0.1. Dropping it kills the server.
#[derive(Debug)]
pub struct Nats {
    port: u16,
    /// `None` while the server is stopped.
    server: Option<Started>,
    /// Folder of the configuration.
    folder: TempDir,
}

impl Nats {
    /// Starts a server and waits until it accepts connections.
    ///
    /// # Panics
    ///
    /// If the variable `NATS_SERVER` does not name a `nats-server`.
    pub fn start() -> Self {
        Self::with_config("")
    }

    /// Starts a server with this configuration, as [`Nats::start`] does.
    ///
    /// # Panics
    ///
    /// If the variable `NATS_SERVER` does not name a `nats-server`.
    pub fn with_config(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder must be writable");
        std::fs::write(folder.path().join(CONFIG), config)
            .expect("a temporary folder must be writable");
        let mut server = serve("-1", &folder);
        let line = server.wait_for("Listening for client connections on 127.0.0.1:");
        let port = line.rsplit(':').next().and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("no port in {line:?}"));
        server.wait_for("Server is ready");
        Nats {
            port,
            server: Some(server),
            folder,
        }
    }

    /// Returns the server's address: `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills the server, which breaks all connections.
    pub fn stop(&mut self) {
        self.server = None;
    }

    /// Kills the server if it runs, and starts it on the same port.
    ///
    /// # Panics
    ///
    /// If another process has taken the port.
    pub fn restart(&mut self) {
        self.stop();
        let mut server = serve(&self.port.to_string(), &self.folder);
        server.wait_for("Server is ready");
        self.server = Some(server);
    }

    /// Freezes the server with SIGSTOP: connections stay open, and no message passes.
    pub fn freeze(&self) {
        self.server().signal("STOP");
    }

    /// Continues the frozen server.
    pub fn thaw(&self) {
        self.server().signal("CONT");
    }

    fn server(&self) -> &Started {
        self.server.as_ref().expect("the server must run")
    }
}

/// Name of the configuration file.
const CONFIG: &str = "nats.conf";

fn serve(port: &str, folder: &TempDir) -> Started {
    let mut command = Command::new(nats_server());
    command
        .args(["-a", "127.0.0.1", "-p", port, "-c", CONFIG])
        .current_dir(folder.path());
    Started::new(&mut command)
}

/// Returns the path of `nats-server`.
fn nats_server() -> OsString {
    std::env::var_os("NATS_SERVER")
        .expect("NATS_SERVER must be the path of nats-server; `make test` installs one and sets it")
}
