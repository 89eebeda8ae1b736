//! Serves echo.v1.Echo with a nested call of load.v1.Store, whose amount is the size of the payload
//! in bytes. If the nested call fails, it logs the error and answers with `Refused`.

use golden::echo::echo::v1::{Deed, Echo, EchoErr, EchoServer, Payload};
use golden::load::load::v1::{Job, StoreClient};
use parigot_guest::{Context, Failure, NotReady, Ready};

struct Relay {
    store: StoreClient,
}

impl Ready for Relay {
    async fn ready(cx: &Context) -> Result<Self, NotReady> {
        Ok(Relay {
            store: StoreClient::locate(cx)?,
        })
    }
}

impl Echo for Relay {
    async fn echo(&self, cx: &Context, request: Payload) -> Result<Payload, Failure<EchoErr>> {
        let job = Job {
            amount: request.data.len() as u32,
            ..Job::default()
        };
        match self.store.keep(job).await {
            Ok(_) => Ok(request),
            Err(error) => {
                parigot_guest::info!(cx, "{}: {error}", error.fate());
                Err(EchoErr::Refused.into())
            }
        }
    }

    async fn misbehave(&self, _: &Context, _: Deed) -> Result<Payload, Failure<EchoErr>> {
        Err(EchoErr::Refused.into())
    }

    async fn persist(&self, _: &Context, _: Deed) -> Result<Payload, Failure<EchoErr>> {
        Err(EchoErr::Refused.into())
    }
}

parigot_guest::service!(Relay, exports(EchoServer), requires(StoreClient));
