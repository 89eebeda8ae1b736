//! A service that finds out that it cannot do its work: it is not ready. After the argument `--dream` it never finds out.

use std::future::pending;

use golden::echo::echo::v1::EchoClient;
use golden::helloworld::greeting::v1::{
    FetchGreetingRequest, FetchGreetingResponse, GreetErr, Greeting, GreetingServer,
};
use parigot_guest::{Context, NotReady, Ready};

struct Lost;

impl Ready for Lost {
    async fn ready(cx: &Context) -> Result<Self, NotReady> {
        EchoClient::locate(cx)?;
        if cx.args().iter().any(|arg| arg == "--dream") {
            parigot_guest::info!(cx, "dreaming");
            pending::<()>().await;
        }
        Err(NotReady::new("the map is missing"))
    }
}

impl Greeting for Lost {
    async fn fetch_greeting(
        &self,
        _: &Context,
        _: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, GreetErr> {
        Err(GreetErr::UnknownLang)
    }
}

parigot_guest::service!(Lost, exports(GreetingServer), requires(EchoClient));
