//! Generated code as users see it: traits to implement, clients to call, errors to match.

use golden::helloworld::greeting::v1::{
    FetchGreetingRequest, FetchGreetingResponse, GreetErr, Greeting, GreetingClient,
    GreetingServer, Tongue, greeting,
};
use golden::{deprecated, equal_names, keywords, options, streaming, two_services};
use parigot_guest::{Call, Client, Context, Failure, Method, Serve, Server, ServiceError, Status};

struct Greeter;

impl Greeting for Greeter {
    async fn fetch_greeting(
        &self,
        _: &Context,
        request: FetchGreetingRequest,
    ) -> Result<FetchGreetingResponse, Failure<GreetErr>> {
        match request.tongue() {
            Tongue::French => Ok(FetchGreetingResponse {
                greeting: "bonjour".into(),
            }),
            _ => Err(GreetErr::UnknownLang.into()),
        }
    }
}

/// One guest exports several services, whose equal rpcs stay separate.
struct Cook;

impl two_services::kitchen::Kitchen for Cook {
    async fn open(
        &self,
        _: &Context,
        _: two_services::kitchen::OpenRequest,
    ) -> Result<two_services::kitchen::OpenResponse, Failure<two_services::kitchen::KitchenErr>>
    {
        Err(two_services::kitchen::KitchenErr::OnFire.into())
    }

    async fn close(
        &self,
        _: &Context,
        _: two_services::kitchen::CloseRequest,
    ) -> Result<two_services::kitchen::CloseResponse, Failure<two_services::kitchen::KitchenErr>>
    {
        Ok(two_services::kitchen::CloseResponse {})
    }
}

impl two_services::kitchen::Admin for Cook {
    async fn open(
        &self,
        _: &Context,
        _: two_services::kitchen::OpenRequest,
    ) -> Result<two_services::kitchen::OpenResponse, Status> {
        Ok(two_services::kitchen::OpenResponse {})
    }
}

fn service_of<S, T: Server<S>>() -> &'static parigot_guest::Service {
    T::SERVICE
}

#[test]
fn services_and_methods_are_known_by_name() {
    let service = service_of::<Greeter, GreetingServer<Greeter>>();
    assert_eq!(service.name, "greeting.v1.Greeting");
    assert_eq!(
        <greeting::FetchGreeting as Method>::info().name(),
        "FetchGreeting"
    );
    assert_eq!(<GreetingClient as Client>::SERVICE.schema, service.schema);
}

#[test]
fn methods_are_numbered_in_the_order_of_the_proto() {
    use two_services::kitchen::{AdminServer, KitchenServer, admin, kitchen};
    let names = |service: &parigot_guest::Service| {
        service
            .methods
            .iter()
            .map(|method| method.name())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(service_of::<Cook, KitchenServer<Cook>>()),
        ["Open", "Close"]
    );
    assert_eq!(names(service_of::<Cook, AdminServer<Cook>>()), ["Open"]);
    assert_eq!(
        (
            kitchen::Open::INDEX,
            kitchen::Close::INDEX,
            admin::Open::INDEX
        ),
        (0, 1, 0)
    );
}

#[test]
fn methods_have_the_limits_that_options_set() {
    use options::options::kitchen;
    let limits = |method: &parigot_guest::MethodInfo| {
        (
            method.name(),
            method.budget().as_millis(),
            method.deadline().as_millis(),
            method.is_idempotent(),
        )
    };
    let limits: Vec<_> = kitchen::SERVICE.methods.iter().map(limits).collect();
    let expected = [
        ("Roast", 200, 3_600_000, false),
        ("Taste", 0, 100, true),
        ("Wash", 75, 0, true),
        ("Break", 0, 0, false),
    ];
    assert_eq!(limits, expected);
}

#[test]
fn an_option_names_the_errors_of_a_service() {
    use options::{common, options as here};
    fn error_of<M: Method<Error = E>, E>() {}
    error_of::<here::kitchen::Roast, common::Trouble>();
    error_of::<here::cellar::Fetch, here::dish::Err>();
}

/// Methods left out have no index.
#[test]
fn methods_that_stream_can_be_left_out() {
    use streaming::streaming::{feed, tail};
    let names: Vec<_> = feed::SERVICE
        .methods
        .iter()
        .map(|method| method.name())
        .collect();
    assert_eq!(names, ["Post", "Drop"]);
    assert_eq!((feed::Post::INDEX, feed::Drop::INDEX), (0, 1));
    assert!(tail::SERVICE.methods.is_empty());
}

#[test]
fn an_error_enum_is_an_error_with_a_number() {
    let error: Box<dyn core::error::Error> = Box::new(GreetErr::UnknownLang);
    assert_eq!(error.to_string(), "UnknownLang");
    assert_eq!(GreetErr::UnknownLang.number(), 4);
    assert_eq!(GreetErr::from_number(4), Some(GreetErr::UnknownLang));
    assert_eq!(GreetErr::from_number(5), None);
}

/// This function only needs to compile.
///
/// Each type of a method serves by the user's function. Functions of a client are named as those of
/// the trait, except where `clone` and `locate` belong to every client.
#[expect(dead_code, reason = "a call needs a host")]
async fn calls(cx: &Context) -> Result<(), parigot_guest::Error> {
    use keywords::r#type::r#async::{self as hostile, MatchClient};
    fn serves<S, M: Serve<S>>() {}
    serves::<Greeter, greeting::FetchGreeting>();
    serves::<Cook, two_services::kitchen::kitchen::Open>();

    let greeting: Call<greeting::FetchGreeting> =
        GreetingClient::locate(cx)?.fetch_greeting(FetchGreetingRequest {
            tongue: Tongue::French.into(),
        });
    greeting.await?;
    let client = MatchClient::locate(cx)?.clone();
    client.locate_(hostile::Option::default()).await?;
    client.r#type(hostile::Type::default()).await?;
    let client = equal_names::equal::GreetingServiceClient::locate(cx)?;
    client
        .greet(equal_names::equal::Greeting {
            words: "hello".into(),
        })
        .await?;
    Ok(())
}

/// Callers of deprecated methods get a warning, implementors do not.
#[expect(dead_code, reason = "a call needs a host")]
async fn warned(cx: &Context) -> Result<(), parigot_guest::Error> {
    use deprecated::deprecated::{CurrentClient, GoneClient, Request};
    let client = CurrentClient::locate(cx)?;
    client.fresh(Request::default()).await?;
    #[expect(deprecated, reason = "the method is deprecated")]
    client.stale(Request::default()).await?;
    #[expect(deprecated, reason = "the service is deprecated")]
    GoneClient::locate(cx)?;
    Ok(())
}
