//! Servers that send what no NATS server would send.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;

use parking_lot::Mutex;

use super::*;
use crate::deployment::NatsServer;

/// Server that rejects each login, and passes on the logins.
pub(super) struct RejectingServer {
    address: String,
    logins: mpsc::Receiver<String>,
}

impl RejectingServer {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port must be free");
        let address = listener.local_addr().expect("must be bound").to_string();
        let (sender, logins) = mpsc::channel();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                // The test has ended when nothing receives the logins.
                if sender.send(reject(client.expect("must connect"))).is_err() {
                    return;
                }
            }
        });
        RejectingServer { address, logins }
    }

    /// Returns the server with a login in its address, which ends with `@`.
    pub(super) fn with_login(&self, login: &str) -> NatsServer {
        let address = format!("nats://{login}{}", self.address);
        address.parse().expect("the address must be valid")
    }

    /// Waits for the next login: the `CONNECT` line of a client.
    pub(super) fn login(&self) -> String {
        self.logins
            .recv_timeout(WAIT_MAX)
            .expect("a client must connect")
    }
}

fn reject(mut client: TcpStream) -> String {
    const INFO: &str = "INFO {\"server_id\":\"x\",\"server_name\":\"x\",\"version\":\"2.15.2\",\
         \"host\":\"127.0.0.1\",\"port\":4222,\"headers\":true,\"max_payload\":1048576,\
         \"proto\":1,\"client_id\":1,\"go\":\"x\",\"nonce\":\"abc\"}\r\n";
    client.write_all(INFO.as_bytes()).expect("must be open");
    let mut reader = BufReader::new(client.try_clone().expect("must be open"));
    let mut login = String::new();
    reader.read_line(&mut login).expect("must be open");
    _ = client.write_all(b"-ERR 'Authorization Violation'\r\n");
    login
}

/// Relay between processes and a server, which can add bytes to what the server sends.
pub(super) struct Relay {
    address: String,
    clients: Arc<Mutex<Vec<TcpStream>>>,
}

impl Relay {
    pub(super) fn to(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port must be free");
        let address = listener.local_addr().expect("must be bound").to_string();
        let clients = Arc::new(Mutex::new(Vec::new()));
        let known = Arc::clone(&clients);
        let url = server.url();
        let target = url.trim_start_matches("nats://").to_owned();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.expect("must connect");
                let server = TcpStream::connect(&target).expect("the server must run");
                let copy = |stream: &TcpStream| stream.try_clone().expect("must be open");
                known.lock().push(copy(&client));
                let (to_server, to_client) = (copy(&server), copy(&client));
                std::thread::spawn(move || pass(client, to_server));
                std::thread::spawn(move || pass(server, to_client));
            }
        });
        Relay { address, clients }
    }

    pub(super) fn nats(&self) -> NatsServer {
        let address = format!("nats://{}", self.address);
        address.parse().expect("the address must be valid")
    }

    /// Sends bytes to all connected processes in the name of the server.
    pub(super) fn inject(&self, bytes: &[u8]) {
        for mut client in self.clients.lock().drain(..) {
            // A process that has left is no concern.
            _ = client.write_all(bytes);
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 1 << 16];
    while let Ok(bytes @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..bytes]).is_err() {
            break;
        }
    }
    _ = to.shutdown(Shutdown::Both);
    _ = from.shutdown(Shutdown::Both);
}
