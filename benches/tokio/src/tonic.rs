//! tonic: client and server of gRPC in one process, with tonic's defaults.

use bench_meter::{Case, Measured};
use hyper_util::rt::TokioIo;
use tokio::net::UnixListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Channel, Endpoint, Server, Uri};
use tonic::{Request, Response, Status};
use tower::service_fn;

use crate::call::{Caller, Payload, measure};

/// The code that tonic has generated.
mod stubs {
    tonic::include_proto!("echo.v1.Echo");
}

/// Buffer size of the connection without a socket: that of a unix socket on Linux.
const DUPLEX_BYTES: usize = 208 << 10;

struct Echoing;

#[tonic::async_trait]
impl stubs::echo_server::Echo for Echoing {
    async fn echo(&self, request: Request<Payload>) -> Result<Response<Payload>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

impl Caller for stubs::echo_client::EchoClient<Channel> {
    async fn call(&mut self, request: Payload) -> Payload {
        self.echo(request)
            .await
            .expect("the server answers")
            .into_inner()
    }
}

/// Runs one round of the case over a unix socket. Each end has a runtime of its own, as in two
/// processes.
pub(crate) fn over_unix_socket(case: Case) -> Measured {
    let path = std::env::temp_dir().join(format!("parigot-bench-{}", std::process::id()));
    let listener = std::os::unix::net::UnixListener::bind(&path)
        .expect("a socket can be made among temporary files");
    std::thread::spawn(|| runtime().block_on(async { tokio::spawn(listen(listener)).await }));
    runtime().block_on(async {
        let endpoint = Endpoint::from_shared(format!("unix://{}", path.display()))
            .expect("a path is an address");
        let channel = endpoint.connect().await.expect("the server listens");
        std::fs::remove_file(&path).expect("the socket is there");
        measure(stubs::echo_client::EchoClient::new(channel), case).await
    })
}

async fn listen(listener: std::os::unix::net::UnixListener) {
    listener
        .set_nonblocking(true)
        .expect("a socket need not block");
    let listener = UnixListener::from_std(listener).expect("it listens");
    router()
        .serve_with_incoming(UnixListenerStream::new(listener))
        .await
        .expect("it serves until the process ends");
}

/// One round of the case over a pipe within the process.
pub(crate) fn in_memory(case: Case) -> Measured {
    runtime().block_on(async {
        let (client, server) = tokio::io::duplex(DUPLEX_BYTES);
        tokio::spawn(
            router().serve_with_incoming(tokio_stream::once(Ok::<_, std::io::Error>(server))),
        );
        let mut client = Some(TokioIo::new(client));
        let connector = service_fn(move |_: Uri| {
            let client = client
                .take()
                .ok_or_else(|| std::io::Error::other("there is one connection"));
            async move { client }
        });
        let endpoint = Endpoint::from_static("http://in.memory");
        let channel = endpoint
            .connect_with_connector(connector)
            .await
            .expect("the server has the other end");
        measure(stubs::echo_client::EchoClient::new(channel), case).await
    })
}

/// Returns the runtime that `#[tokio::main]` creates.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("the runtime must start")
}

fn router() -> tonic::transport::server::Router {
    Server::builder().add_service(stubs::echo_server::EchoServer::new(Echoing))
}
