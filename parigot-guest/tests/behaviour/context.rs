//! The context of a guest.

use parigot_guest::id::IdType;
use parigot_guest::rand_core::RngCore;
use parigot_guest::{Context, Error, Exit, Failure, info};

use crate::greeting::*;
use crate::harness::{Guest, call, call_by};

#[test]
fn a_program_sees_arguments_environment_and_its_id() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        info!(
            cx,
            "{:?} {:?} {:?} {}",
            cx.args(),
            cx.env("GREETING"),
            cx.env("OTHER"),
            cx.envs().count()
        );
        info!(
            cx,
            "{} {:?} {:?}",
            cx.instance_id().short(),
            cx.call_id(),
            cx.deadline()
        );
        Ok(Exit::SUCCESS)
    }
    assert_eq!(
        Guest::started(main).1,
        [
            r#"Info: ["--tongue", "french"] Some("loud") None 2"#,
            "Info: ins_000001 None None",
            "exit 0"
        ]
    );
}

#[derive(Default)]
struct Greeter;

impl Greeting for Greeter {
    async fn fetch_greeting(
        &self,
        cx: &Context,
        _: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        let id = cx.call_id().expect("a handler must have a call").short();
        let deadline = cx.deadline().map(|deadline| deadline - cx.now());
        let greeting = format!(
            "{id} {deadline:?} {:?} {}",
            cx.metadata("user"),
            cx.metadata_pairs().count()
        );
        Ok(FetchGreetingResponse { greeting })
    }
}

#[test]
fn a_handler_sees_its_call() {
    let mut guest = Guest::serving::<Greeter, _>();
    assert_eq!(
        guest.turn([call(1, 0), call_by(2, 0, 4_000)]),
        [
            r#"reply 1: OK cal_000001 None Some("ann") 2"#,
            r#"reply 2: OK cal_000002 Some(3µs) Some("ann") 2"#
        ]
    );
}

enum Ticket {}

impl IdType for Ticket {
    const NAME: &'static str = "TicketId";
    const PREFIX: &'static str = "tkt";
}

#[test]
fn random_numbers_depend_only_on_the_seed() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        let mut random = cx.random();
        let mut bytes = [0; 3];
        cx.random().fill_bytes(&mut bytes);
        info!(
            cx,
            "{} {} {bytes:?} {}",
            random.next_u64(),
            random.next_u32(),
            random.id::<Ticket>()
        );
        Ok(Exit::SUCCESS)
    }
    let one = Guest::started(main).1;
    let two = Guest::started(main).1;
    assert_eq!(one, two);
    assert!(one[0].contains(" tkt_"), "{one:?}");
}
