//! The customer: orders the pizza named by its argument and has it delivered by the fastest rider.

mod ticket_id;

use std::time::Duration;

use parigot_guest::future::join;
use parigot_guest::{CallError, Client, Code, Context, Error, Exit, Extras, info};
use stubs::kitchen::v1::{KitchenClient, OrderRequest, Stage};
use stubs::riders::v1::{FetchOfferRequest, FetchOfferResponse, RidersClient, RidersErr};
use ticket_id::TicketId;

const RIDERS: [&str; 3] = ["ann", "bob", "cid"];

/// Deadline of a call to a rider.
const PATIENCE: Duration = Duration::from_millis(500);

/// Pause between two calls to the kitchen.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

#[parigot_guest::program(requires(KitchenClient, RidersClient))]
async fn main(cx: Context) -> Result<Exit, Error> {
    let [pizza] = cx.args() else {
        return Err(Error::new("expected one argument: a pizza"));
    };
    cx.launch().await?;
    order(&cx, pizza).await?;
    let rider = find_rider(&cx)
        .await?
        .ok_or_else(|| Error::new("no rider delivers"))?;
    info!(cx, "{rider} brings the {pizza}");
    Ok(Exit::SUCCESS)
}

/// Orders a pizza and waits until it is ready.
async fn order(cx: &Context, pizza: &str) -> Result<(), Error> {
    let kitchen = KitchenClient::locate(cx)?;
    let ticket = kitchen
        .order(OrderRequest {
            pizza: pizza.into(),
        })
        .await?;
    let id = TicketId::try_from(ticket.id.unwrap_or_default())?;
    info!(cx, "ordered a {pizza}: {id}");
    while kitchen.check(ticket).await?.stage() != Stage::Ready {
        cx.sleep(POLL_INTERVAL).await;
    }
    info!(cx, "{id} is ready");
    Ok(())
}

type Offer = Result<FetchOfferResponse, CallError<RidersErr>>;

/// Calls all riders concurrently and returns the fastest, if at least one comes.
async fn find_rider(cx: &Context) -> Result<Option<&'static str>, Error> {
    let riders = RidersClient::locate(cx)?.with_deadline(PATIENCE);
    let answers = join(RIDERS.map(|rider| {
        riders.fetch_offer(FetchOfferRequest {
            rider: rider.into(),
        })
    }))
    .await;
    let offers: Vec<_> = RIDERS.into_iter().zip(answers).collect();
    offers
        .iter()
        .for_each(|(rider, offer)| info!(cx, "{rider} {}", describe(offer)));
    Ok(fastest(&offers))
}

/// Describes an offer: a reply, an error of the service, a timeout, or another status.
fn describe(offer: &Offer) -> String {
    match offer {
        Ok(offer) => format!("needs {} minutes", offer.minutes),
        Err(CallError::Service(why, _)) => format!("does not come: {why}"),
        Err(CallError::Status(status)) if status.code() == Code::DeadlineExceeded => {
            "did not answer in time".into()
        }
        Err(error) => format!("cannot be reached: {error}"),
    }
}

fn fastest(offers: &[(&'static str, Offer)]) -> Option<&'static str> {
    let coming = offers
        .iter()
        .filter_map(|(rider, offer)| Some((offer.as_ref().ok()?.minutes, *rider)));
    coming.min().map(|(_, rider)| rider)
}

#[cfg(test)]
mod tests {
    use parigot_guest::Status;

    use super::*;

    fn minutes(minutes: u32) -> Offer {
        Ok(FetchOfferResponse { minutes })
    }

    fn failed(code: Code) -> Offer {
        Err(CallError::Status(Status::new(code, "")))
    }

    #[test]
    fn the_fastest_rider_that_comes_delivers() {
        let off_duty = Err(CallError::Service(RidersErr::OffDuty, Extras::default()));
        assert_eq!(
            fastest(&[("ann", minutes(12)), ("bob", off_duty), ("cid", minutes(7))]),
            Some("cid")
        );
        assert_eq!(fastest(&[("ann", failed(Code::DeadlineExceeded))]), None);
    }

    #[test]
    fn an_error_differs_from_a_timeout() {
        assert_eq!(describe(&minutes(12)), "needs 12 minutes");
        assert_eq!(
            describe(&Err(CallError::Service(
                RidersErr::OffDuty,
                Extras::default()
            ))),
            "does not come: OffDuty"
        );
        assert_eq!(
            describe(&failed(Code::DeadlineExceeded)),
            "did not answer in time"
        );
        assert_eq!(
            describe(&failed(Code::Unavailable)),
            "cannot be reached: UNAVAILABLE"
        );
    }
}
