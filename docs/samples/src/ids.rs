//! Typed ids in messages.

use golden::id_message::ticket::{Counter, Sale};
use golden::ids::ticket::TicketId;
use parigot_guest::{Context, Status, proto};

/// A service whose requests contain ids.
#[derive(Debug, Default)]
pub struct Clerk;

impl Counter for Clerk {
    // ANCHOR: message
    async fn sell(&self, _: &Context, request: Sale) -> Result<proto::Id, Status> {
        // An absent id, or one of another type, fails the call with `INVALID_ARGUMENT`.
        let ticket = TicketId::try_from(request.ticket.unwrap_or_default())?;
        Ok(proto::Id::from(ticket))
    }
    // ANCHOR_END: message

    async fn take(&self, _: &Context, request: proto::Id) -> Result<Sale, Status> {
        Ok(Sale {
            ticket: Some(request),
            ..Sale::default()
        })
    }
}
