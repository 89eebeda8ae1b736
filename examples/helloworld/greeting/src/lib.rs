//! The greeting service.

use parigot_guest::{Context, Failure};
use stubs::greeting::v1::{
    FetchGreetingRequest, FetchGreetingResponse, GreetErr, Greeting, GreetingServer, Tongue,
};

#[derive(Default)]
struct Greeter;

impl Greeting for Greeter {
    async fn fetch_greeting(
        &self,
        _: &Context,
        request: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        let greeting = greet(request.tongue())?;
        Ok(FetchGreetingResponse {
            greeting: greeting.into(),
        })
    }
}

fn greet(tongue: Tongue) -> Result<&'static str, GreetErr> {
    match tongue {
        Tongue::English => Ok("hello"),
        Tongue::French => Ok("bonjour"),
        Tongue::German => Ok("guten tag"),
        Tongue::Unspecified => Err(GreetErr::UnknownLang),
    }
}

parigot_guest::service!(Greeter, exports(GreetingServer));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn french_is_greeted_in_french() {
        assert_eq!(greet(Tongue::French), Ok("bonjour"));
    }

    #[test]
    fn an_unknown_tongue_is_refused() {
        assert_eq!(greet(Tongue::Unspecified), Err(GreetErr::UnknownLang));
    }
}
