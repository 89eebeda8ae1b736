//! The hello program: requests a greeting in the language given by `--tongue` and logs it.

use parigot_guest::{Context, Exit};
use stubs::greeting::v1::{FetchGreetingRequest, GreetingClient, Tongue};

#[parigot_guest::program(requires(GreetingClient))]
async fn main(cx: Context) -> Result<Exit, parigot_guest::Error> {
    cx.launch().await?;
    let greeting = GreetingClient::locate(&cx)?;
    let tongue = tongue(cx.args());
    let reply = greeting
        .fetch_greeting(FetchGreetingRequest {
            tongue: tongue.into(),
        })
        .await?;
    parigot_guest::info!(cx, "{}, world", reply.greeting);
    Ok(Exit::SUCCESS)
}

/// Parses `--tongue french`.
///
/// An unknown language becomes `Unspecified`, because the service decides how to answer it.
fn tongue(args: &[String]) -> Tongue {
    let names: Vec<&str> = args.iter().map(String::as_str).collect();
    match names[..] {
        ["--tongue", "english"] => Tongue::English,
        ["--tongue", "french"] => Tongue::French,
        ["--tongue", "german"] => Tongue::German,
        _ => Tongue::Unspecified,
    }
}

#[cfg(test)]
mod tests {
    use parigot_guest::testing::{Fake, TestGuest};
    use stubs::greeting::v1::{FetchGreetingResponse, GreetErr, greeting};

    use super::*;

    // ANCHOR: program
    #[test]
    fn the_world_is_greeted_in_the_given_tongue() {
        let fake = Fake::new("greeting");
        fake.on::<greeting::FetchGreeting>(|request| match request.tongue() {
            Tongue::German => Ok(FetchGreetingResponse {
                greeting: "moin".into(),
            }),
            _ => Err(GreetErr::UnknownLang),
        });
        let hello = TestGuest::new(GUEST).fake(&fake);
        let mut hello = hello.arg("--tongue").arg("german").start();
        assert_eq!(hello.wait_for_exit(), 0);
        assert_eq!(hello.log(), ["moin, world"]);
    }
    // ANCHOR_END: program

    #[test]
    fn the_tongue_is_named_on_the_command_line() {
        assert_eq!(
            tongue(&["--tongue".into(), "german".into()]),
            Tongue::German
        );
        assert_eq!(
            tongue(&["--tongue".into(), "klingon".into()]),
            Tongue::Unspecified
        );
        assert_eq!(tongue(&[]), Tongue::Unspecified);
    }
}
