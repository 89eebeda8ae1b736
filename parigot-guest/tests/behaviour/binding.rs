//! Requirements whose bindings have names.

use parigot_abi::{Header, Kind};
use parigot_guest::{
    Channel, Client, Context, Definition, DynamicClient, Error, Exit, Requirement, Service, info,
};

use crate::greeting::*;
use crate::harness::{Guest, frame, start};

const GREETING: &Service = <GreetingClient as Client>::SERVICE;
static REQUIRES: [Requirement; 4] = [
    Requirement::new(GREETING),
    Requirement::named(GREETING, "cache"),
    Requirement::named(GREETING, "store"),
    Requirement::named(&Service::named("any.v1.Any"), "one"),
];

async fn main(cx: Context) -> Result<Exit, Error> {
    cx.launch().await?;
    let request = FetchGreetingRequest { tongue: 1 };
    let _calls = [
        GreetingClient::locate_named(&cx, "store")?.fetch_greeting(request),
        GreetingClient::locate_named(&cx, "cache")?.fetch_greeting(request),
        GreetingClient::locate(&cx)?.fetch_greeting(request),
    ];
    let any = DynamicClient::locate_named(&cx, "any.v1.Any", "one")?;
    info!(cx, "{:?}", any.methods().collect::<Vec<_>>());
    let by_client = DynamicClient::locate_named(&cx, GREETING.name, "cache")?;
    info!(cx, "{:?}", by_client.methods().collect::<Vec<_>>());
    static OTHER: Service = Service::named("other.v1.Other");
    for result in [
        Channel::locate_named(&cx, GREETING, "other"),
        Channel::locate(&cx, REQUIRES[3].service),
        Channel::locate_named(&cx, &OTHER, "one"),
    ] {
        info!(cx, "{}", result.unwrap_err());
    }
    Ok(Exit::SUCCESS)
}

#[test]
fn a_service_is_required_and_located_under_several_names() {
    let mut guest = Guest::open(Definition::program(main, &REQUIRES));
    let service = "greeting.v1.Greeting(FetchGreeting)#7";
    assert_eq!(
        guest.turn([start(1 << 20)]),
        [
            format!(
                "manifest: exports nothing; requires {service}, {service} as cache, \
                 {service} as store, any.v1.Any()#0 as one"
            ),
            "launch".into()
        ]
    );
    let payload: Vec<u8> = (70..74_u32).flat_map(u32::to_le_bytes).collect();
    let launched = frame(Header::new(Kind::Launched), |frame| {
        frame
            .metadata("3", "Get")
            .metadata("3", "Put")
            .payload(&payload)
    });
    let trace = guest.turn([launched]);
    assert_eq!(
        trace[1..9],
        [
            "call a: 72.0 tongue 1",
            "call b: 71.0 tongue 1",
            "call c: 70.0 tongue 1",
            "Info: [\"Get\", \"Put\"]",
            "Info: [\"FetchGreeting\"]",
            "Info: greeting.v1.Greeting is not required as \"other\", but without a name, \
             or as \"cache\", or as \"store\": call `locate(&cx)`, \
             or write `requires(… as \"other\")` in `service!` or `#[program]`",
            "Info: any.v1.Any is not required without a name, but as \"one\": \
             call `locate_named(&cx, \"one\")`, \
             or require the client without `as` in `service!` or `#[program]`",
            "Info: other.v1.Other is not required as \"one\": \
             write `requires(… as \"one\")` in `service!` or `#[program]`",
        ]
    );
}
