//! Serves echo.v1.Echo, and requires greeting.v1.Greeting. Told to misbehave, it panics.

use golden::echo::echo::v1::{Deed, Echo, EchoErr, EchoServer, Payload};
use golden::helloworld::greeting::v1::GreetingClient;
use parigot_guest::Context;

#[derive(Default)]
struct Vassal;

impl Echo for Vassal {
    async fn echo(&self, _: &Context, request: Payload) -> Result<Payload, EchoErr> {
        Ok(request)
    }

    async fn misbehave(&self, _: &Context, _: Deed) -> Result<Payload, EchoErr> {
        panic!("told to panic")
    }

    async fn persist(&self, cx: &Context, deed: Deed) -> Result<Payload, EchoErr> {
        self.misbehave(cx, deed).await
    }
}

parigot_guest::service!(Vassal, exports(EchoServer), requires(GreetingClient));
