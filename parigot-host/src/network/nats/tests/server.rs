//! A server of NATS, and somebody on it who is no transport.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, Message, RequestErrorKind, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::runtime::Runtime;

/// So long a test waits for anything.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A real server on a free port of this machine, ended when it is dropped.
pub(super) struct Server {
    child: Child,
    address: String,
    flags: Vec<String>,
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
        }
    }

    /// Where it listens.
    pub(super) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Ends it at once.
    pub(super) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it has ended");
    }

    /// Starts it again, where it was.
    pub(super) fn restart(&mut self) {
        let (_, port) = self.address.rsplit_once(':').expect("a port");
        (self.child, self.address) = launch(port, &self.flags);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been killed.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Starts a server, and waits until it is ready; returns where it listens.
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
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped"))
        .lines()
        .map_while(Result::ok);
    let address =
        lines.find_map(|line| Some(line.split_once("client connections on ")?.1.to_owned()));
    let address = address.expect("the server says where it listens");
    assert!(
        lines.any(|line| line.contains("Server is ready")),
        "the server does not become ready"
    );
    // It must be able to say more.
    std::thread::spawn(move || lines.for_each(drop));
    (child, address)
}

/// Somebody on the server who says what no transport would.
pub(super) struct Stranger {
    runtime: Runtime,
    client: Client,
}

impl Stranger {
    pub(super) fn on(server: &Server) -> Arc<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let client = runtime.block_on(async_nats::connect(server.url())).unwrap();
        Arc::new(Stranger { runtime, client })
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

    /// Hears what is said on a subject from now on.
    pub(super) fn listen(&self, subject: &str) -> Subscriber {
        let subject = subject.to_owned();
        self.runtime.block_on(async {
            let subscriber = self.client.subscribe(subject).await.unwrap();
            // The server knows of it when it answers.
            self.client
                .request("nobody", Bytes::new())
                .await
                .unwrap_err();
            subscriber
        })
    }

    /// The next that comes.
    pub(super) fn next(&self, subscriber: &mut Subscriber) -> Message {
        let next = async { tokio::time::timeout(PATIENCE, subscriber.next()).await };
        self.runtime
            .block_on(next)
            .expect("something comes in time")
            .expect("the connection holds")
    }

    pub(super) fn request(&self, subject: &str, payload: impl Into<Bytes>) -> Message {
        let (subject, payload) = (subject.to_owned(), payload.into());
        self.runtime
            .block_on(self.client.request(subject, payload))
            .unwrap()
    }

    /// Waits until the server knows that nobody listens there.
    pub(super) fn wait_until_nobody_hears(&self, subject: &str) {
        let ask = || {
            self.runtime
                .block_on(self.client.request(subject.to_owned(), Bytes::new()))
        };
        while !ask().is_err_and(|error| error.kind() == RequestErrorKind::NoResponders) {}
    }
}
