//! A service that needs another service and arguments.

use golden::echo::echo::v1::{Deed, Echo, EchoErr, EchoServer, Payload};
use golden::helloworld::greeting::v1::GreetingClient;
use parigot_guest::{Context, Failure, NotReady, Ready};

// ANCHOR: ready
struct Parrot {
    greeting: GreetingClient,
    repeats: usize,
}

impl Ready for Parrot {
    async fn ready(cx: &Context) -> Result<Self, NotReady> {
        let [repeats] = cx.args() else {
            return Err(NotReady::new("expected one argument: a number"));
        };
        let repeats = repeats
            .parse()
            .map_err(|_| NotReady::new(format!("found `{repeats}`, expected a number")))?;
        Ok(Parrot {
            greeting: GreetingClient::locate(cx)?,
            repeats,
        })
    }
}
// ANCHOR_END: ready

impl Echo for Parrot {
    async fn echo(&self, _: &Context, request: Payload) -> Result<Payload, Failure<EchoErr>> {
        Ok(Payload {
            data: request.data.repeat(self.repeats),
        })
    }

    // ANCHOR: yield
    async fn persist(&self, cx: &Context, request: Deed) -> Result<Payload, Failure<EchoErr>> {
        let mut sum = 0_u64;
        for number in 0..u64::from(request.number) {
            sum = sum.wrapping_add(number * number);
            // Gives other tasks and the host their turn about every millisecond.
            if number % 1_000_000 == 0 {
                cx.yield_now().await;
            }
        }
        Ok(Payload {
            data: sum.to_le_bytes().to_vec(),
        })
    }
    // ANCHOR_END: yield

    async fn misbehave(&self, cx: &Context, _: Deed) -> Result<Payload, Failure<EchoErr>> {
        let greeting = self.greeting.clone();
        // ANCHOR: spawn
        let background = cx.background();
        background.spawn(async move {
            // Runs beside this handler and may outlive the call.
            let _ = greeting.fetch_greeting(Default::default()).await;
        });
        // ANCHOR_END: spawn
        Ok(Payload::default())
    }
}

// ANCHOR: register
parigot_guest::service!(Parrot, exports(EchoServer), requires(GreetingClient));
// ANCHOR_END: register
