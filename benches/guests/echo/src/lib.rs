//! Answers each call with its own payload, or loops forever on request.

use golden::echo::echo::v1::deed::Kind;
use golden::echo::echo::v1::{Deed, Echo, EchoErr, EchoServer, Payload};
use parigot_guest::{Context, Failure};

#[derive(Default)]
struct Echoing;

impl Echo for Echoing {
    async fn echo(&self, _: &Context, request: Payload) -> Result<Payload, Failure<EchoErr>> {
        Ok(request)
    }

    async fn misbehave(&self, _: &Context, deed: Deed) -> Result<Payload, Failure<EchoErr>> {
        match deed.kind() {
            Kind::Spin => loop {
                std::hint::spin_loop();
            },
            _ => Err(EchoErr::Refused.into()),
        }
    }

    async fn persist(&self, _: &Context, _: Deed) -> Result<Payload, Failure<EchoErr>> {
        Err(EchoErr::Refused.into())
    }
}

parigot_guest::service!(Echoing, exports(EchoServer));
