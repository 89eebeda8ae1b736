//! A service that fails on a schedule. Each argument is followed by a number:
//!
//! | argument | effect |
//! |---|---|
//! | `--fails-after MS` | panics so many milliseconds after it was ready |
//! | `--status N` | exits with that status instead of the panic |
//! | `--unready-from MS` | `ready` fails from that wall clock time on |
//! | `--hangs-from MS` | `ready` never ends from that wall clock time on |

use std::future::pending;
use std::time::Duration;

use golden::helloworld::greeting::v1::{
    FetchGreetingRequest, FetchGreetingResponse, GreetErr, Greeting, GreetingServer,
};
use parigot_guest::{Context, Failure, NotReady, Ready};

struct Flaky;

impl Ready for Flaky {
    async fn ready(cx: &Context) -> Result<Self, NotReady> {
        let has_come = |name| {
            number(cx, name).is_some_and(|from_ms| cx.wall() >= Duration::from_millis(from_ms))
        };
        if has_come("--unready-from") {
            return Err(NotReady::new("unready on purpose"));
        }
        if has_come("--hangs-from") {
            parigot_guest::info!(cx, "hanging in ready");
            pending::<()>().await;
        }
        let failure = number(cx, "--fails-after").map(|age_ms| {
            let cx = cx.background();
            // Set before the log line, because a test may advance the clock as soon as it reads the
            // line, and the turn may end before the task begins.
            let sleep = cx.sleep(Duration::from_millis(age_ms));
            async move {
                sleep.await;
                match number(&cx, "--status") {
                    Some(status) => match cx.exit(status as u8).await {},
                    None => panic!("failed on purpose"),
                }
            }
        });
        parigot_guest::info!(cx, "started up");
        if let Some(failure) = failure {
            cx.background().spawn(failure);
        }
        Ok(Flaky)
    }
}

/// Returns the number behind an argument, if the argument is present.
fn number(cx: &Context, name: &str) -> Option<u64> {
    let mut args = cx.args().iter().skip_while(|arg| *arg != name);
    args.nth(1)
        .map(|number| number.parse().expect("the argument has a number"))
}

impl Greeting for Flaky {
    async fn fetch_greeting(
        &self,
        _: &Context,
        _: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        Err(GreetErr::UnknownLang.into())
    }
}

parigot_guest::service!(Flaky, exports(GreetingServer));
