//! Work that outlives the call that started it.

use std::time::Duration;

use golden::ids::ticket::TicketId;
use parigot_guest::Context;
use parigot_guest::job::{Job, Jobs, TooManyJobs};

// ANCHOR: jobs
/// A kitchen that bakes pizzas in the background.
pub struct Kitchen {
    orders: Jobs<TicketId, String>,
}

impl Kitchen {
    /// Creates a kitchen for at most 100 orders. Results are kept for one minute.
    pub fn new(cx: &Context) -> Self {
        Kitchen {
            orders: Jobs::new(cx).at_most(100).keeping(Duration::from_secs(60)),
        }
    }

    /// Starts to bake, and returns a ticket at once.
    ///
    /// # Errors
    ///
    /// If there are 100 orders already.
    pub fn order(&self, cx: &Context, pizza: String) -> Result<TicketId, TooManyJobs> {
        // The background context has no deadline, so the work may outlive this call.
        self.orders.start(bake(cx.background(), pizza))
    }

    /// Returns the state of an order.
    pub fn check(&self, ticket: TicketId) -> &'static str {
        match self.orders.poll(ticket) {
            Job::Running => "baking",
            Job::Done(_pizza) => "ready",
            Job::Unknown => "unknown ticket",
        }
    }
}

async fn bake(cx: Context, pizza: String) -> String {
    cx.sleep(Duration::from_secs(10)).await;
    pizza
}
// ANCHOR_END: jobs
