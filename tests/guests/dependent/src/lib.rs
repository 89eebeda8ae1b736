//! Serves echo.v1.Echo, and requires greeting.v1.Greeting without calling it. `Misbehave` panics.

use golden::echo::echo::v1::{Deed, Echo, EchoErr, EchoServer, Payload};
use golden::helloworld::greeting::v1::GreetingClient;
use parigot_guest::{Context, Failure};

#[derive(Default)]
struct Dependent;

impl Echo for Dependent {
    async fn echo(&self, _: &Context, request: Payload) -> Result<Payload, Failure<EchoErr>> {
        Ok(request)
    }

    async fn misbehave(&self, _: &Context, _: Deed) -> Result<Payload, Failure<EchoErr>> {
        panic!("told to panic")
    }

    async fn persist(&self, cx: &Context, deed: Deed) -> Result<Payload, Failure<EchoErr>> {
        self.misbehave(cx, deed).await
    }
}

parigot_guest::service!(Dependent, exports(EchoServer), requires(GreetingClient));
