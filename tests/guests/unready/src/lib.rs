//! A service that is never ready: its `ready` fails, or with the argument `--hang` never ends.

use std::future::pending;

use golden::echo::echo::v1::EchoClient;
use golden::helloworld::greeting::v1::{
    FetchGreetingRequest, FetchGreetingResponse, GreetErr, Greeting, GreetingServer,
};
use parigot_guest::{Context, Failure, NotReady, Ready};

struct Unready;

impl Ready for Unready {
    async fn ready(cx: &Context) -> Result<Self, NotReady> {
        EchoClient::locate(cx)?;
        if cx.args().iter().any(|arg| arg == "--hang") {
            parigot_guest::info!(cx, "hanging in ready");
            pending::<()>().await;
        }
        Err(NotReady::new("unready on purpose"))
    }
}

impl Greeting for Unready {
    async fn fetch_greeting(
        &self,
        _: &Context,
        _: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        Err(GreetErr::UnknownLang.into())
    }
}

parigot_guest::service!(Unready, exports(GreetingServer), requires(EchoClient));
