//! NATS server, and a client of the server that is not a transport.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, Message, RequestErrorKind, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::deployment::NatsServer;

/// Limit that ends a test that would wait forever. No test passes or fails by its speed.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(120);

/// Real server on a free port of this machine, killed on drop.
pub(super) struct Server {
    child: Child,
    address: String,
    flags: Vec<String>,
    /// Folder of the configuration; removed with the server.
    folder: Option<TempDir>,
}

impl Server {
    pub(super) fn start() -> Self {
        Self::with_flags(&[])
    }

    pub(super) fn with_flags(flags: &[&str]) -> Self {
        let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let (child, address) = launch("-1", &flags);
        Server {
            child,
            address,
            flags,
            folder: None,
        }
    }

    /// Starts a server with this configuration.
    pub(super) fn with_config(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("nats.conf");
        std::fs::write(&path, config).expect("a file can be written");
        let mut server = Self::with_flags(&["--config", &path.display().to_string()]);
        server.folder = Some(folder);
        server
    }

    /// Returns the URL of the server.
    pub(super) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Returns the server as a deployment names it.
    pub(super) fn nats(&self) -> NatsServer {
        self.with_login("")
    }

    /// Returns the server with a login in its address, which ends with `@`.
    pub(super) fn with_login(&self, login: &str) -> NatsServer {
        let address = format!("nats://{login}{}", self.address);
        address.parse().expect("the address must be valid")
    }

    /// Kills the server.
    pub(super) fn kill(&mut self) {
        self.child.kill().expect("the server must run");
        self.child.wait().expect("the killed server must end");
    }

    /// Starts the server again on the same port, with other flags.
    pub(super) fn restart_with(&mut self, flags: &[&str]) {
        self.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        self.restart();
    }

    /// Starts the server again on the same port.
    pub(super) fn restart(&mut self) {
        let (_, port) = self
            .address
            .rsplit_once(':')
            .expect("the address must have a port");
        (self.child, self.address) = launch(port, &self.flags);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail if the server was killed before.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Starts a server, and waits until the server is ready. Returns its process and its address.
fn launch(port: &str, flags: &[String]) -> (Child, String) {
    let path = std::env::var_os("NATS_SERVER")
        .expect("NATS_SERVER is not set: `make test` installs nats-server and sets it");
    let mut command = Command::new(&path);
    command
        .args(["--addr", "127.0.0.1", "--port", port])
        .args(flags)
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", path.display()));
    let mut lines = BufReader::new(child.stderr.take().expect("stderr must be piped"))
        .lines()
        .map_while(Result::ok);
    let address =
        lines.find_map(|line| Some(line.split_once("client connections on ")?.1.to_owned()));
    let address = address.expect("the server must log its address");
    assert!(
        lines.any(|line| line.contains("Server is ready")),
        "the server does not become ready"
    );
    // The rest of the output is read too: the server would block on a full pipe.
    std::thread::spawn(move || lines.for_each(drop));
    (child, address)
}

/// Client that publishes anything, also messages that no transport would send.
pub(super) struct RawClient {
    runtime: Runtime,
    client: Client,
}

impl RawClient {
    pub(super) fn on(server: &Server) -> Arc<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let client = runtime.block_on(async_nats::connect(server.url())).unwrap();
        Arc::new(RawClient { runtime, client })
    }

    pub(super) fn publish(&self, subject: &str, payload: impl Into<Bytes>) {
        let (subject, payload) = (subject.to_owned(), payload.into());
        self.runtime.block_on(async {
            self.client.publish(subject, payload).await.unwrap();
            self.client.flush().await.unwrap();
        });
    }

    pub(super) fn publish_with_reply(&self, subject: &str, reply: &str, payload: impl Into<Bytes>) {
        let (subject, reply, payload) = (subject.to_owned(), reply.to_owned(), payload.into());
        self.runtime.block_on(async {
            self.client
                .publish_with_reply(subject, reply, payload)
                .await
                .unwrap();
            self.client.flush().await.unwrap();
        });
    }

    /// Subscribes to a subject. The subscription is active on return.
    pub(super) fn listen(&self, subject: &str) -> Subscriber {
        let subject = subject.to_owned();
        self.runtime.block_on(async {
            let subscriber = self.client.subscribe(subject).await.unwrap();
            // The server handles messages in order, so its answer confirms the subscription.
            self.client
                .request("no-subscriber", Bytes::new())
                .await
                .unwrap_err();
            subscriber
        })
    }

    /// Waits for the next message of a subscription.
    pub(super) fn next(&self, subscriber: &mut Subscriber) -> Message {
        let next = async { tokio::time::timeout(WAIT_MAX, subscriber.next()).await };
        self.runtime
            .block_on(next)
            .expect("a message must arrive")
            .expect("the connection must stay open")
    }

    pub(super) fn request(&self, subject: &str, payload: impl Into<Bytes>) -> Message {
        let (subject, payload) = (subject.to_owned(), payload.into());
        self.runtime
            .block_on(self.client.request(subject, payload))
            .unwrap()
    }

    /// Waits until a subject has no subscriber.
    pub(super) fn wait_until_unsubscribed(&self, subject: &str) {
        let ask = || {
            self.runtime
                .block_on(self.client.request(subject.to_owned(), Bytes::new()))
        };
        while !ask().is_err_and(|error| error.kind() == RequestErrorKind::NoResponders) {}
    }
}
