//! Sockets and connections of the edges.

mod counted;

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use miette::Diagnostic;
use parigot_host::client::ServiceClient;
use parigot_host::deployment::{Deployment, EdgeSpec};
use parigot_host::descriptors::Schemas;
use parigot_host::{Running, ThreadError};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use self::counted::Counted;
use crate::api::Api;
use crate::reflection;
use crate::service::EdgeService;

/// Connections of an edge. Further clients wait in the queue of the system.
const CONNECTIONS_MAX: usize = 4_096;
/// Longest time in which a client must send the first bytes, and the headers of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of the first line of HTTP/2. HTTP/1.1 needs more for the shortest request.
const FIRST_BYTES: usize = 24;
/// Requests in flight of one HTTP/2 connection.
const STREAMS_MAX: u32 = 200;
/// Streams that one HTTP/2 connection may make the server reset.
const RESETS_MAX: usize = 128;
/// Pause between two pings on an HTTP/2 connection, and the wait for the answer.
const PING_INTERVAL: Duration = Duration::from_secs(60);
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Headers of a request in bytes.
const HEADERS_BYTES_MAX: u32 = 16 << 10;
/// Longest time of the last responses after the guests have ended.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Error of an edge whose address cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the edge `{edge}` cannot listen on {address}: {source}")]
#[diagnostic(help("{}", next_step(source)))]
pub struct BindError {
    /// Name of the edge.
    pub edge: String,
    /// Address in the deployment.
    pub address: SocketAddr,
    /// Error of the operating system.
    #[source]
    source: io::Error,
}

fn next_step(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there: stop it, or write another port in `listen`"
        }
        io::ErrorKind::PermissionDenied => "write a port of 1024 or higher in `listen`",
        io::ErrorKind::AddrNotAvailable => {
            "write an address of this machine in `listen`, or \"0.0.0.0:<port>\" for all of them"
        }
        _ => "correct `listen` in the table of the edge",
    }
}

/// Open sockets of the edges of a deployment. No connection is accepted yet.
#[derive(Debug)]
pub struct Listeners {
    sockets: Vec<(EdgeSpec, std::net::TcpListener)>,
}

/// Opens the sockets of the edges of a deployment.
///
/// # Errors
///
/// If an address cannot be used.
pub fn bind(deployment: &Deployment) -> Result<Listeners, BindError> {
    let open = |spec: &EdgeSpec| {
        let socket = std::net::TcpListener::bind(spec.listen)
            .and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
        match socket {
            Ok(socket) => Ok((spec.clone(), socket)),
            Err(source) => Err(BindError {
                edge: spec.name.clone(),
                address: spec.listen,
                source,
            }),
        }
    };
    let sockets = deployment
        .edges
        .iter()
        .map(open)
        .collect::<Result<_, _>>()?;
    Ok(Listeners { sockets })
}

/// Running edges of a deployment.
#[derive(Debug)]
#[must_use = "without `close`, responses may be cut off"]
pub struct Edge {
    /// `None` if the deployment has no edge.
    runtime: Option<Runtime>,
    /// Closed when all connections have ended.
    connections: watch::Sender<bool>,
    addresses: Vec<(String, SocketAddr)>,
}

impl Listeners {
    /// Accepts connections for the services of a running deployment.
    ///
    /// # Errors
    ///
    /// If the system does not start the threads.
    pub fn serve(self, running: &mut Running) -> Result<Edge, ThreadError> {
        let (draining, _) = watch::channel(false);
        if self.sockets.is_empty() {
            return Ok(Edge {
                runtime: None,
                connections: draining,
                addresses: Vec::new(),
            });
        }
        let runtime = start_runtime()?;
        let schemas = schemas(running);
        let mut addresses = Vec::new();
        for (spec, socket) in self.sockets {
            let api = Arc::new(Api::new(&spec, running, &schemas, draining.subscribe()));
            let address = socket.local_addr().unwrap_or(spec.listen);
            addresses.push((spec.name.clone(), address));
            runtime.spawn(announce(Arc::clone(&api), address));
            runtime.spawn(accept(socket, api, draining.subscribe()));
        }
        let of_stop = draining.clone();
        running.at_stop(move || {
            of_stop.send_replace(true);
        });
        Ok(Edge {
            runtime: Some(runtime),
            connections: draining,
            addresses,
        })
    }
}

impl Edge {
    /// Returns the names of the edges with the addresses that they listen on.
    pub fn addresses(&self) -> &[(String, SocketAddr)] {
        &self.addresses
    }

    /// Sends the last responses, and ends the threads of the edges. Takes at most a second. Must
    /// be called after [`Running::wait`].
    pub fn close(self) {
        let Some(runtime) = self.runtime else {
            return;
        };
        self.connections.send_replace(true);
        runtime.block_on(async {
            tokio::select! {
                () = self.connections.closed() => {}
                () = sleep(CLOSE_TIMEOUT) => {}
            }
        });
        runtime.shutdown_background();
    }
}

/// Starts the threads of the edges. Log events go where those of this thread go.
fn start_runtime() -> Result<Runtime, ThreadError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads((cores / 2).max(1))
        .thread_name("parigot edge")
        .enable_all()
        .on_thread_start(move || {
            // Valid for the rest of the thread.
            std::mem::forget(tracing::dispatcher::set_default(&dispatch));
        })
        .build()
        .map_err(|error| ThreadError::new("parigot edge", &error))
}

/// Returns the schemas of all services of the deployment, and logs those that cannot be used.
fn schemas(running: &Running) -> Arc<Schemas> {
    let mut exports = running.exports().to_vec();
    exports.push(reflection::exported());
    let (schemas, unusable) = Schemas::of(&exports);
    for problem in unusable {
        tracing::warn!("no JSON for clients: {problem}");
    }
    Arc::new(schemas)
}

/// Logs the address of an edge once all its services take calls.
async fn announce(api: Arc<Api>, address: SocketAddr) {
    let mut draining = api.draining.clone();
    for client in api.services.values() {
        tokio::select! {
            () = client.availability_changed(false) => {}
            _ = draining.wait_for(|draining| *draining) => return,
        }
    }
    let names: Vec<_> = api.services.values().map(ServiceClient::service).collect();
    let edge = &api.spec.name;
    tracing::info!(
        "edge {edge} listens on http://{address}: {}",
        names.join(", ")
    );
}

/// Accepts connections until the deployment stops, then waits for the end of all connections.
async fn accept(socket: std::net::TcpListener, api: Arc<Api>, mut draining: watch::Receiver<bool>) {
    let listener = match TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!("edge {} cannot listen: {error}", api.spec.name);
            return;
        }
    };
    let service = Arc::new(EdgeService::new(&api));
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    while !*draining.borrow() {
        // Tasks that have ended free their memory.
        while connections.try_join_next().is_some() {}
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            _ = draining.changed() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                let service = Arc::clone(&service);
                let draining = draining.clone();
                connections.spawn(async move {
                    serve(stream, service, draining).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Files are missing, for example. The pause keeps the loop from spinning.
                tracing::warn!("edge {} cannot accept a client: {error}", api.spec.name);
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Serves one connection.
async fn serve(stream: TcpStream, service: Arc<EdgeService>, mut draining: watch::Receiver<bool>) {
    // Without effect if the client has gone.
    let _ = stream.set_nodelay(true);
    let (stream, received) = Counted::new(stream);
    let builder = builder();
    let handler = service_fn(move |request| Arc::clone(&service).handle(request));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), handler));
    let mut first_bytes = pin!(sleep(HEADER_TIMEOUT));
    let mut waits_for_bytes = true;
    let mut is_draining = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!("a client's connection failed: {error}");
                }
                return;
            }
            () = first_bytes.as_mut(), if waits_for_bytes => {
                waits_for_bytes = false;
                if received.get() < FIRST_BYTES {
                    return;
                }
            }
            _ = draining.wait_for(|draining| *draining), if !is_draining => {
                is_draining = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Returns the settings of connections, with limits against hostile clients.
fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADERS_BYTES_MAX as usize * 4);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_local_error_reset_streams(RESETS_MAX)
        .max_header_list_size(HEADERS_BYTES_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}
