//! The log.

use core::fmt;

use parigot_guest::{Context, Error, Exit, Failure, debug, error, info, trace, warn};

use crate::greeting::*;
use crate::harness::{Guest, call};

#[test]
fn each_level_has_its_macro() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        let borrowed = &cx;
        error!(cx, "one");
        warn!(borrowed, "two {}", 2);
        info!(cx, "three {x}", x = 3);
        debug!(cx, "four");
        trace!(cx, "five");
        Ok(Exit::SUCCESS)
    }
    let (_, trace) = Guest::started(main);
    assert_eq!(
        trace,
        [
            "Error: one",
            "Warn: two 2",
            "Info: three 3",
            "Debug: four",
            "Trace: five",
            "exit 0"
        ]
    );
}

#[test]
fn a_line_names_the_call_of_its_context_or_task() {
    struct Greeter {
        cx: Context,
    }

    impl parigot_guest::Ready for Greeter {
        async fn ready(cx: &Context) -> Result<Self, parigot_guest::NotReady> {
            Ok(Greeter { cx: cx.clone() })
        }
    }

    impl Greeting for Greeter {
        async fn fetch_greeting(
            &self,
            cx: &Context,
            _: FetchGreetingRequest,
        ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
            info!(cx, "the call's");
            info!(self.cx, "the service's");
            let background = cx.background();
            cx.background()
                .spawn(async move { info!(background, "no call's") });
            Ok(FetchGreetingResponse::default())
        }
    }
    let mut guest = Guest::serving::<Greeter, _>();
    assert_eq!(
        guest.turn([call(1, 0)]),
        [
            "Info for 1: the call's",
            "Info for 1: the service's",
            "reply 1: OK",
            "Info: no call's"
        ]
    );
}

/// Logs while it is formatted.
struct Chatty<'a>(&'a Context);

impl fmt::Display for Chatty<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        info!(self.0, "inside");
        f.write_str("outside")
    }
}

#[test]
fn a_value_may_log_while_it_is_logged() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        info!(cx, "{}", Chatty(&cx));
        Ok(Exit::SUCCESS)
    }
    assert_eq!(
        Guest::started(main).1,
        ["Info: inside", "Info: outside", "exit 0"]
    );
}

#[test]
fn a_line_is_cut_at_the_message_limit() {
    async fn main(cx: Context) -> Result<Exit, Error> {
        info!(cx, "12345678ü");
        Ok(Exit::SUCCESS)
    }
    let mut guest = Guest::program(main);
    guest.message_bytes_max = 9;
    assert_eq!(guest.start(), ["Info: 12345678", "exit 0"]);
}

#[test]
fn printing_macros_log_lines() {
    use parigot_guest::{dbg, eprintln, println};

    async fn main(_: Context) -> Result<Exit, Error> {
        println!("one {}", 1);
        eprintln!("two");
        println!();
        let line = line!() + 1;
        assert_eq!(dbg!(1 + 1, "x"), (2, "x"));
        println!("{line}");
        Ok(Exit::SUCCESS)
    }
    let (_, trace) = Guest::started(main);
    let line: u32 = trace[5].strip_prefix("Info: ").unwrap().parse().unwrap();
    let file = file!();
    assert_eq!(trace[..3], ["Info: one 1", "Error: two", "Info: "]);
    assert_eq!(trace[3], format!("Info: [{file}:{line}:20] 1 + 1 = 2"));
    assert_eq!(trace[4], format!("Info: [{file}:{line}:20] \"x\" = \"x\""));
}
