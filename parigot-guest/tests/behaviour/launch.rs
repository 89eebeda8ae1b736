//! From the start of a guest to its first call.

use std::time::Duration;

use parigot_abi::{Cause, Code, Detail, Header, Kind};
use parigot_guest::{
    Channel, Context, Definition, Descriptors, Error, Exit, Failure, MethodInfo, NotReady, Ready,
    Requirement, Service, info,
};

use crate::greeting::*;
use crate::harness::{Guest, call, frame, launched, start, start_and_describe};

#[derive(Default)]
struct Greeter;

impl Greeting for Greeter {
    async fn fetch_greeting(
        &self,
        _: &Context,
        _: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        Ok(FetchGreetingResponse {
            greeting: "hello".into(),
        })
    }
}

/// A service with both `Default` and `Ready`.
mod prepared {
    use super::*;

    #[derive(Default)]
    struct Prepared {
        greeting: String,
        calls: std::cell::Cell<u32>,
    }

    impl Ready for Prepared {
        async fn ready(cx: &Context) -> Result<Self, NotReady> {
            Ok(Prepared {
                greeting: cx.env("GREETING").unwrap_or_default().into(),
                ..Prepared::default()
            })
        }
    }

    impl Greeting for Prepared {
        async fn fetch_greeting(
            &self,
            _: &Context,
            _: FetchGreetingRequest,
        ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
            self.calls.set(self.calls.get() + 1);
            Ok(FetchGreetingResponse {
                greeting: format!("{} {}", self.greeting, self.calls.get()),
            })
        }
    }

    parigot_guest::service!(Prepared, exports(GreetingServer));
}

#[test]
fn ready_creates_a_service_that_also_has_a_default() {
    let mut guest = Guest::open(prepared::GUEST());
    guest.start();
    assert_eq!(guest.turn([launched(&[])]), ["reply 0: OK"]);
    assert_eq!(guest.turn([call(1, 0)]), ["reply 1: OK loud 1"]);
}

#[test]
fn a_service_sends_its_manifest_launches_and_serves() {
    let mut guest = Guest::service::<Greeter, _>();
    let service = "greeting.v1.Greeting(FetchGreeting)#7";
    let manifest = format!("manifest: exports {service}; requires {service}");
    assert_eq!(guest.turn([start(1 << 20)]), [manifest.as_str(), "launch"]);
    assert_eq!(guest.turn([launched(&[70])]), ["reply 0: OK"]);
    assert_eq!(guest.turn([call(1, 0)]), ["reply 1: OK hello"]);
}

#[test]
fn a_manifest_has_descriptors_on_request() {
    let mut guest = Guest::service::<Greeter, _>();
    let service = "greeting.v1.Greeting(FetchGreeting)#7";
    // Exported and required, but the descriptors are sent once.
    let manifest =
        format!("manifest: exports {service}; requires {service} with what the generator writes");
    assert_eq!(
        guest.turn([start_and_describe()]),
        [manifest.as_str(), "launch"]
    );
}

#[test]
fn a_manifest_has_budgets_and_deadlines() {
    static SLOW: Service = Service {
        name: "slow.v1.Slow",
        schema: 0,
        methods: &[
            MethodInfo::new("Get")
                .with_budget(Duration::from_millis(200))
                .with_deadline(Duration::from_secs(10)),
            MethodInfo::new("Put").idempotent(),
            MethodInfo::new("List").without_side_effects(),
            MethodInfo::new("Wait").with_deadline(Duration::MAX),
        ],
        descriptors: Descriptors::NONE,
    };
    async fn main(_: Context) -> Result<Exit, Error> {
        Ok(Exit::SUCCESS)
    }
    let mut guest = Guest::open(Definition::program(
        main,
        const { &[Requirement::new(&SLOW)] },
    ));
    let methods = format!(
        "Get[budget 200000000, deadline 10000000000] Put[flags 8] List[flags 4] \
         Wait[budget 0, deadline {}]",
        u64::MAX
    );
    let trace = guest.turn([start(1 << 20)]);
    assert_eq!(
        trace[0],
        format!("manifest: exports nothing; requires slow.v1.Slow({methods})#0")
    );
    assert!(SLOW.methods[1].is_idempotent() && !SLOW.methods[0].is_idempotent());
}

/// A service that makes a call before it is ready.
struct Kitchen {
    greeting: String,
}

impl Ready for Kitchen {
    async fn ready(cx: &Context) -> Result<Self, NotReady> {
        let reply = GreetingClient::locate(cx)?
            .fetch_greeting(FetchGreetingRequest { tongue: 1 })
            .await?;
        Ok(Kitchen {
            greeting: reply.greeting,
        })
    }
}

impl Greeting for Kitchen {
    async fn fetch_greeting(
        &self,
        _: &Context,
        _: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        Ok(FetchGreetingResponse {
            greeting: self.greeting.clone(),
        })
    }
}

#[test]
fn a_service_confirms_the_launch_after_ready() {
    let mut guest = Guest::service::<Kitchen, _>();
    assert_eq!(guest.start(), ["launch"]);
    assert_eq!(guest.turn([launched(&[70])]), ["call a: 70.0 tongue 1"]);
    assert_eq!(
        guest.turn([call(1, 0)]),
        ["reply 1: UNAVAILABLE (unreachable): the service is not ready yet"]
    );
    assert_eq!(guest.turn([guest.reply('a', "salut")]), ["reply 0: OK"]);
    assert_eq!(guest.turn([call(2, 0)]), ["reply 2: OK salut"]);
}

#[test]
fn a_failed_ready_reports_its_reason() {
    let mut guest = Guest::service::<Kitchen, _>();
    guest.start();
    guest.turn([launched(&[70])]);
    assert_eq!(
        guest.turn([guest.reply_error('a', 1)]),
        ["reply 0: FAILED_PRECONDITION (unspecified): UNKNOWN_LANG"]
    );
}

#[test]
fn a_program_launches_when_it_asks_and_only_once() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        info!(cx, "before");
        let again = cx.launch();
        cx.launch().await?;
        again.await?;
        info!(cx, "after");
        Ok(Exit::SUCCESS)
    }
    let (mut guest, trace) = Guest::started(main);
    assert_eq!(trace, ["Info: before", "launch"]);
    assert_eq!(
        guest.turn([launched(&[70])]),
        ["reply 0: OK", "Info: after", "exit 0"]
    );
}

#[test]
fn a_launch_that_the_host_refuses_fails() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        cx.launch().await?;
        Ok(Exit::SUCCESS)
    }
    let (mut guest, _) = Guest::started(main);
    let header = Header {
        status: Code::Unavailable.number(),
        ..Header::new(Kind::Reply)
    };
    let refusal = frame(header, |frame| {
        frame.detail(&Detail::new(
            Cause::Unreachable,
            "no guest exports greeting.v1.Greeting",
        ))
    });
    let reason = "UNAVAILABLE: unreachable: no guest exports greeting.v1.Greeting";
    assert_eq!(guest.turn([refusal]), [format!("exit 1: {reason}")]);
}

#[test]
fn locate_needs_a_requirement_and_a_launch() {
    static OTHER: Service = Service {
        name: "other.v1.Other",
        schema: 0,
        methods: &[MethodInfo::new("Get")],
        descriptors: Descriptors::NONE,
    };

    async fn main(cx: Context) -> Result<Exit, Error> {
        info!(cx, "{}", GreetingClient::locate(&cx).map(drop).unwrap_err());
        info!(
            cx,
            "{}",
            Channel::locate(&cx, &OTHER).map(drop).unwrap_err()
        );
        Ok(Exit::SUCCESS)
    }
    let (_, trace) = Guest::started(main);
    assert_eq!(
        trace,
        [
            "Info: greeting.v1.Greeting cannot be called before the guest is launched: \
             write `cx.launch().await?` before this call",
            "Info: other.v1.Other is not among the services that this guest requires: \
             name its client in the `requires(…)` of `service!` or `#[program]`",
            "exit 0",
        ]
    );
}
