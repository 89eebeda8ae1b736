//! Jobs that outlive their calls.

use core::cell::RefCell;
use core::future::pending;
use core::time::Duration;
use std::rc::Rc;

use parigot_guest::id::{Id, IdType};
use parigot_guest::job::{Job, Jobs, TooManyJobs};
use parigot_guest::{Context, Error, Exit, Failure, NotReady, Ready, info};

use crate::greeting::*;
use crate::harness::{Guest, call, call_by, cancel, launched, stop};

type TicketId = Id<TicketIdType>;

enum TicketIdType {}

impl IdType for TicketIdType {
    const NAME: &'static str = "TicketId";
    const PREFIX: &'static str = "tkt";
}

const KEEPING: Duration = Duration::from_millis(10);

/// Tongue 0 starts a job that calls another service, 1 queries the job, 2 waits for it, 3 cancels
/// it, and 4 starts a job that never ends.
struct Kitchen {
    orders: Jobs<TicketId, String>,
    ordered: RefCell<Option<TicketId>>,
}

impl Ready for Kitchen {
    async fn ready(cx: &Context) -> Result<Self, NotReady> {
        Ok(Kitchen {
            orders: Jobs::new(cx).at_most(2).keeping(KEEPING),
            ordered: RefCell::default(),
        })
    }
}

impl Kitchen {
    fn order(&self, work: impl Future<Output = String> + 'static) -> String {
        match self.orders.start(work) {
            Ok(ticket) => {
                self.ordered.replace(Some(ticket));
                "ordered".into()
            }
            Err(error) => error.to_string(),
        }
    }
}

impl Greeting for Kitchen {
    async fn fetch_greeting(
        &self,
        cx: &Context,
        request: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        let ticket = self.ordered.borrow().unwrap_or(TicketId::ZERO);
        let greeting = match request.tongue {
            0 => {
                let greeting = GreetingClient::locate(cx).expect("Greeting must be required");
                self.order(async move {
                    let reply = greeting.fetch_greeting(request).await;
                    reply.map_or_else(|error| error.to_string(), |reply| reply.greeting)
                })
            }
            1 => format!("{:?}", self.orders.poll(ticket)),
            2 => format!(
                "{:?}",
                self.orders.wait(ticket, Duration::from_millis(5)).await
            ),
            3 => format!("{}", self.orders.cancel(ticket)),
            _ => self.order(pending()),
        };
        Ok(FetchGreetingResponse { greeting })
    }
}

fn after(guest: &mut Guest, time: Duration) -> Vec<String> {
    guest.now_ns += time.as_nanos() as u64;
    guest.turn([])
}

#[test]
fn a_job_outlives_its_call_and_keeps_its_result() {
    let mut guest = Guest::serving::<Kitchen, _>();
    let deadline_ns = guest.now_ns + 1;
    assert_eq!(guest.turn([call(1, 1)]), ["reply 1: OK Unknown"]);
    // The job inherits no deadline, and starts after the reply.
    assert_eq!(
        guest.turn([call_by(2, 0, deadline_ns)]),
        ["reply 2: OK ordered", "call a: 70.0 tongue 0"]
    );
    guest.now_ns = deadline_ns;
    assert_eq!(guest.turn([cancel(2), call(3, 1)]), ["reply 3: OK Running"]);
    assert_eq!(
        guest.wake_at_ns(),
        None,
        "without results there must be no timer"
    );

    let pizza = guest.reply('a', "pizza");
    assert!(guest.turn([pizza]).is_empty());
    for number in [4, 5] {
        assert_eq!(
            guest.turn([call(number, 1)]),
            [format!("reply {number}: OK Done(\"pizza\")")]
        );
    }
    assert_eq!(
        guest.wake_at_ns(),
        Some(guest.now_ns + KEEPING.as_nanos() as u64)
    );
    after(&mut guest, KEEPING);
    assert_eq!(
        guest.wake_at_ns(),
        None,
        "the sweeping task must have ended"
    );
    assert_eq!(guest.turn([call(6, 1)]), ["reply 6: OK Unknown"]);
}

#[test]
fn the_number_of_jobs_is_limited() {
    let mut guest = Guest::serving::<Kitchen, _>();
    assert_eq!(
        guest.turn([call(1, 0), call(2, 4)])[..2],
        ["reply 1: OK ordered", "reply 2: OK ordered"]
    );
    let refused = "reply 3: OK 2 jobs run, which is the limit";
    assert_eq!(guest.turn([call(3, 4)]), [refused]);
    // An ended job counts until its result is discarded.
    let pizza = guest.reply('a', "pizza");
    assert_eq!(guest.turn([pizza, call(3, 4)]), [refused]);
    guest.now_ns += KEEPING.as_nanos() as u64;
    assert_eq!(guest.turn([call(4, 4)]), ["reply 4: OK ordered"]);
}

#[test]
fn cancelling_a_job_cancels_its_calls() {
    let mut guest = Guest::serving::<Kitchen, _>();
    guest.turn([call(1, 0)]);
    assert_eq!(guest.turn([call(2, 3)]), ["cancel a", "reply 2: OK true"]);
    assert_eq!(
        guest.turn([call(3, 3), call(4, 1)]),
        ["reply 3: OK false", "reply 4: OK Unknown"]
    );
    // Cancelling an ended job discards its result early.
    guest.turn([call(5, 0)]);
    let pizza = guest.reply('b', "pizza");
    guest.turn([pizza]);
    assert_eq!(
        guest.turn([call(6, 3), call(7, 1)]),
        ["reply 6: OK true", "reply 7: OK Unknown"]
    );
}

#[test]
fn wait_returns_at_the_end_or_at_the_limit() {
    let mut guest = Guest::serving::<Kitchen, _>();
    guest.turn([call(1, 0)]);
    assert!(guest.turn([call(2, 2)]).is_empty());
    assert_eq!(
        after(&mut guest, Duration::from_millis(5)),
        ["reply 2: OK Running"]
    );
    assert!(guest.turn([call(3, 2), call(4, 2)]).is_empty());
    let pizza = guest.reply('a', "pizza");
    assert_eq!(
        guest.turn([pizza]),
        ["reply 3: OK Done(\"pizza\")", "reply 4: OK Done(\"pizza\")"]
    );
    assert_eq!(guest.turn([call(5, 2)]), ["reply 5: OK Done(\"pizza\")"]);

    guest.turn([call(6, 4)]);
    assert!(guest.turn([call(7, 2)]).is_empty());
    let cancelled = guest.turn([call(8, 3)]);
    assert_eq!(cancelled, ["reply 8: OK true", "reply 7: OK Unknown"]);
}

#[test]
fn a_stopped_service_does_not_wait_for_jobs() {
    let mut guest = Guest::serving::<Kitchen, _>();
    guest.turn([call(1, 4)]);
    assert_eq!(guest.turn([stop()]), ["exit 0"]);
}

#[test]
fn a_job_that_cancels_itself_ends_without_result() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        let jobs: Jobs<TicketId, Rc<()>> = Jobs::new(&cx).at_most(1);
        let result = Rc::new(());
        let own_jobs = jobs.clone();
        let own_result = Rc::clone(&result);
        let id = Rc::new(RefCell::new(TicketId::ZERO));
        let own_id = Rc::clone(&id);
        let started = jobs.start(async move {
            own_jobs.cancel(*own_id.borrow());
            own_result
        });
        id.replace(started?);
        assert_eq!(
            jobs.start(async { Rc::default() }).err(),
            Some(TooManyJobs { at_most: 1 })
        );
        cx.yield_now().await;
        let is_unknown = matches!(jobs.poll(*id.borrow()), Job::Unknown);
        info!(
            cx,
            "unknown: {is_unknown}, kept: {}",
            Rc::strong_count(&result) - 1
        );
        Ok(Exit::SUCCESS)
    }
    let (mut guest, _) = Guest::started(main);
    assert_eq!(
        guest.turn([launched(&[70])])[1..],
        ["Info: unknown: true, kept: 0", "exit 0"]
    );
}
