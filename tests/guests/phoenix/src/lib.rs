//! A service that says when it is ready and, after the argument `--dies-after` and a number of milliseconds, panics so long after that. With
//! `--status` and a number it leaves with that status instead. After `--lost-from` and a time of day in milliseconds it is not ready from then on,
//! and after `--dreams-from` it never finds out whether it is.

use std::future::pending;
use std::time::Duration;

use golden::helloworld::greeting::v1::{
    FetchGreetingRequest, FetchGreetingResponse, GreetErr, Greeting, GreetingServer,
};
use parigot_guest::{Context, NotReady, Ready};

struct Phoenix;

impl Ready for Phoenix {
    async fn ready(cx: &Context) -> Result<Self, NotReady> {
        let has_come = |name| {
            number(cx, name).is_some_and(|from_ms| cx.wall() >= Duration::from_millis(from_ms))
        };
        if has_come("--lost-from") {
            return Err(NotReady::new("the ashes are wet"));
        }
        if has_come("--dreams-from") {
            parigot_guest::info!(cx, "dreaming");
            pending::<()>().await;
        }
        parigot_guest::info!(cx, "risen");
        if let Some(age_ms) = number(cx, "--dies-after") {
            let cx = cx.background();
            cx.clone().spawn(async move {
                cx.sleep(Duration::from_millis(age_ms)).await;
                match number(&cx, "--status") {
                    Some(status) => match cx.exit(status as u8).await {},
                    None => panic!("burnt"),
                }
            });
        }
        Ok(Phoenix)
    }
}

/// The number behind an argument, if it is there.
fn number(cx: &Context, name: &str) -> Option<u64> {
    let mut args = cx.args().iter().skip_while(|arg| *arg != name);
    args.nth(1)
        .map(|number| number.parse().expect("a number follows"))
}

impl Greeting for Phoenix {
    async fn fetch_greeting(
        &self,
        _: &Context,
        _: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, GreetErr> {
        Err(GreetErr::UnknownLang)
    }
}

parigot_guest::service!(Phoenix, exports(GreetingServer));
