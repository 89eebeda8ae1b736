// Written like the generator's output for a small `greeting.proto`, so that the tests of this crate
// need no generator.

/// Implemented by a guest that exports `Greeting`.
pub trait Greeting: 'static {
    /// Greets.
    fn fetch_greeting(
        &self,
        cx: &::parigot_guest::Context,
        request: FetchGreetingRequest,
    ) -> impl Future<Output = Result<FetchGreetingResponse, ::parigot_guest::Failure<GreetErr>>>;
}

/// A request.
#[derive(Clone, Copy, PartialEq, ::parigot_guest::prost::Message)]
#[prost(prost_path = "::parigot_guest::prost")]
pub struct FetchGreetingRequest {
    /// 1 is French.
    #[prost(int32, tag = "1")]
    pub tongue: i32,
}

/// A response.
#[derive(Clone, PartialEq, ::parigot_guest::prost::Message)]
#[prost(prost_path = "::parigot_guest::prost")]
pub struct FetchGreetingResponse {
    /// The greeting.
    #[prost(string, tag = "1")]
    pub greeting: ::parigot_guest::prost::alloc::string::String,
}

/// The error enum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GreetErr {
    /// No error.
    NoError = 0,
    /// Unknown tongue.
    UnknownLang = 1,
}

impl ::core::fmt::Display for GreetErr {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        f.write_str(match self {
            GreetErr::NoError => "NO_ERROR",
            GreetErr::UnknownLang => "UNKNOWN_LANG",
        })
    }
}

impl ::core::error::Error for GreetErr {}

impl GreetErr {
    /// Returns a failure with a message for people.
    pub fn with_message(
        self,
        message: impl ::core::convert::Into<::parigot_guest::alloc::string::String>,
    ) -> ::parigot_guest::Failure<Self> {
        ::parigot_guest::Failure::from(self).with_message(message)
    }

    /// Returns a failure with a message for programs.
    pub fn with_detail(
        self,
        detail: &impl ::parigot_guest::prost::Name,
    ) -> ::parigot_guest::Failure<Self> {
        ::parigot_guest::Failure::from(self).with_detail(detail)
    }
}

impl ::parigot_guest::ErrorEnum for GreetErr {}

impl ::parigot_guest::ServiceError for GreetErr {
    type Failure = ::parigot_guest::Failure<Self>;

    fn from_number(number: i32) -> ::core::option::Option<Self> {
        match number {
            0 => ::core::option::Option::Some(GreetErr::NoError),
            1 => ::core::option::Option::Some(GreetErr::UnknownLang),
            _ => ::core::option::Option::None,
        }
    }

    fn number(&self) -> i32 {
        *self as i32
    }
}

/// The methods of `Greeting`.
pub mod methods {
    /// The static table of the service.
    pub static SERVICE: ::parigot_guest::Service = ::parigot_guest::Service {
        name: "greeting.v1.Greeting",
        schema: 7,
        methods: &[::parigot_guest::MethodInfo::new("FetchGreeting")],
        descriptors: &DESCRIPTORS,
    };

    static DESCRIPTORS: ::parigot_guest::Descriptors =
        ::parigot_guest::Descriptors::new(b"what the generator writes");

    /// `FetchGreeting`.
    pub struct FetchGreeting;

    impl ::parigot_guest::Method for FetchGreeting {
        type Request = super::FetchGreetingRequest;
        type Response = super::FetchGreetingResponse;
        type Error = super::GreetErr;
        const SERVICE: &'static ::parigot_guest::Service = &SERVICE;
        const INDEX: u32 = 0;
    }

    impl<S: super::Greeting> ::parigot_guest::Serve<S> for FetchGreeting {
        fn serve(
            service: &S,
            cx: &::parigot_guest::Context,
            request: Self::Request,
        ) -> impl Future<
            Output = Result<
                Self::Response,
                <Self::Error as ::parigot_guest::ServiceError>::Failure,
            >,
        > {
            super::Greeting::fetch_greeting(service, cx, request)
        }
    }
}

/// Connects an `S: Greeting` to the event loop.
pub struct GreetingServer<S>(::core::marker::PhantomData<fn() -> S>);

impl<S: Greeting> ::parigot_guest::Server<S> for GreetingServer<S> {
    const SERVICE: &'static ::parigot_guest::Service = &methods::SERVICE;

    fn dispatch(service: &::parigot_guest::alloc::rc::Rc<S>, call: ::parigot_guest::Incoming) {
        match call.method() {
            0 => call.serve::<methods::FetchGreeting, S>(service),
            _ => call.unimplemented(),
        }
    }
}

/// Client of `Greeting`.
#[derive(Clone)]
pub struct GreetingClient {
    channel: ::parigot_guest::Channel,
}

impl ::parigot_guest::Client for GreetingClient {
    const SERVICE: &'static ::parigot_guest::Service = &methods::SERVICE;

    fn from_channel(channel: ::parigot_guest::Channel) -> Self {
        GreetingClient { channel }
    }

    fn channel(&self) -> &::parigot_guest::Channel {
        &self.channel
    }
}

impl GreetingClient {
    /// Returns a client.
    pub fn locate(
        cx: &::parigot_guest::Context,
    ) -> ::core::result::Result<Self, ::parigot_guest::LocateError> {
        ::parigot_guest::Channel::locate(cx, &methods::SERVICE)
            .map(|channel| GreetingClient { channel })
    }

    /// Returns a client of the service that is bound to a name.
    pub fn locate_named(
        cx: &::parigot_guest::Context,
        binding: &str,
    ) -> ::core::result::Result<Self, ::parigot_guest::LocateError> {
        ::parigot_guest::Channel::locate_named(cx, &methods::SERVICE, binding)
            .map(|channel| GreetingClient { channel })
    }

    /// Greets.
    pub fn fetch_greeting(
        &self,
        request: FetchGreetingRequest,
    ) -> ::parigot_guest::Call<methods::FetchGreeting> {
        self.channel.call(request)
    }
}
