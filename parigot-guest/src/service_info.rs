//! Static tables of services and their methods, on which guest and host must agree.

use alloc::vec::Vec;
use core::time::Duration;

use parigot_abi::manifest::{self, Idempotency, MethodFlags};

/// The static table of a service, written by the generator.
#[derive(Debug)]
pub struct Service {
    /// Full name, for example `greeting.v1.Greeting`.
    pub name: &'static str,
    /// Hash of the schema, computed by the generator.
    pub schema: u64,
    /// The methods. Calls name a method by its index here.
    pub methods: &'static [MethodInfo],
    /// The files that define the service, for callers without generated code.
    pub descriptors: &'static Descriptors,
}

/// Serialized `FileDescriptorSet` of the files that define a service, and of all files that these
/// import. The generator writes it.
///
/// In wasm it is empty for services of users: there the generated code puts the bytes into the
/// custom section `parigot.descriptors` of the module, where they take no memory of the guest and
/// can be read without an instance.
#[derive(Debug)]
pub struct Descriptors {
    bytes: &'static [u8],
}

impl Descriptors {
    /// No files.
    pub const NONE: &'static Descriptors = &Descriptors::new(&[]);

    /// Creates descriptors from their bytes.
    pub const fn new(bytes: &'static [u8]) -> Self {
        Descriptors { bytes }
    }

    /// Returns the bytes.
    pub const fn bytes(&self) -> &'static [u8] {
        self.bytes
    }
}

/// Returns the descriptors of several services. Files may be listed several times.
pub(crate) fn descriptors<'a>(services: impl Iterator<Item = &'a Service>) -> Vec<u8> {
    // Services of one generated file share their descriptors.
    let mut all: Vec<&[u8]> = Vec::new();
    for service in services {
        let bytes = service.descriptors.bytes;
        if !all.contains(&bytes) {
            all.push(bytes);
        }
    }
    all.concat()
}

/// A service that a guest requires. `service!` and `#[program]` create it.
#[derive(Debug)]
pub struct Requirement {
    /// The service.
    pub service: &'static Service,
    /// Name of the binding, or empty. It distinguishes several requirements of one service.
    pub binding: &'static str,
}

impl Requirement {
    /// Creates a requirement without the name of a binding.
    pub const fn new(service: &'static Service) -> Self {
        Requirement {
            service,
            binding: "",
        }
    }

    /// Creates a requirement whose binding has a name.
    pub const fn named(service: &'static Service, binding: &'static str) -> Self {
        Requirement { service, binding }
    }
}

/// One method of a [`Service`].
///
/// ```
/// use core::time::Duration;
/// use parigot_guest::MethodInfo;
///
/// const FETCH: MethodInfo =
///     MethodInfo::new("FetchGreeting").with_deadline(Duration::from_secs(3));
/// assert_eq!(FETCH.deadline(), Duration::from_secs(3));
/// assert!(FETCH.budget().is_zero(), "the host's default applies");
/// ```
#[derive(Debug)]
pub struct MethodInfo {
    name: &'static str,
    budget: Duration,
    deadline: Duration,
    idempotency: Idempotency,
    streams_requests: bool,
    streams_responses: bool,
}

impl MethodInfo {
    /// Creates the entry of a method. `name` is spelled as in the `.proto`: `FetchGreeting`.
    pub const fn new(name: &'static str) -> Self {
        MethodInfo {
            name,
            budget: Duration::ZERO,
            deadline: Duration::ZERO,
            idempotency: Idempotency::Unknown,
            streams_requests: false,
            streams_responses: false,
        }
    }

    /// Sets the CPU time for which the method may hold its thread between two awaits.
    pub const fn with_budget(self, budget: Duration) -> Self {
        MethodInfo { budget, ..self }
    }

    /// Sets the deadline of calls whose caller sets none, as a duration from the call.
    pub const fn with_deadline(self, deadline: Duration) -> Self {
        MethodInfo { deadline, ..self }
    }

    /// Marks the method as idempotent: running it twice has the same effect as running it once.
    pub const fn idempotent(self) -> Self {
        MethodInfo {
            idempotency: Idempotency::Idempotent,
            ..self
        }
    }

    /// Marks the method as one without side effects.
    pub const fn without_side_effects(self) -> Self {
        MethodInfo {
            idempotency: Idempotency::NoSideEffects,
            ..self
        }
    }

    /// Marks the method as one whose requests stream.
    pub const fn streaming_requests(self) -> Self {
        MethodInfo {
            streams_requests: true,
            ..self
        }
    }

    /// Marks the method as one whose responses stream.
    pub const fn streaming_responses(self) -> Self {
        MethodInfo {
            streams_responses: true,
            ..self
        }
    }

    /// Returns the name, as in the `.proto`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the CPU time between two awaits; zero means the host's default.
    pub const fn budget(&self) -> Duration {
        self.budget
    }

    /// Returns the deadline of calls whose caller sets none; zero means the host's default.
    pub const fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Returns true if running the method twice has the same effect as running it once.
    pub const fn is_idempotent(&self) -> bool {
        !matches!(self.idempotency, Idempotency::Unknown)
    }

    /// Returns the effect of repeating a call.
    pub const fn idempotency(&self) -> Idempotency {
        self.idempotency
    }

    /// Returns true if requests stream.
    pub const fn streams_requests(&self) -> bool {
        self.streams_requests
    }

    /// Returns true if responses stream.
    pub const fn streams_responses(&self) -> bool {
        self.streams_responses
    }

    /// Returns true if requests or responses stream.
    pub const fn streams(&self) -> bool {
        self.streams_requests || self.streams_responses
    }

    /// Returns the flags in the manifest.
    pub(crate) const fn flags(&self) -> MethodFlags {
        MethodFlags::new(self.idempotency)
            .with_streams(self.streams_requests, self.streams_responses)
    }

    fn describe(&self) -> manifest::Method {
        let ns = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        manifest::Method {
            name: self.name.into(),
            budget_ns: ns(self.budget),
            deadline_ns: ns(self.deadline),
            flags: self.flags(),
        }
    }
}

impl Service {
    /// Creates the table of a service of which only the full name is known, to be called by a
    /// [`DynamicClient`](crate::DynamicClient). `requires("greeting.v1.Greeting")` expands to this.
    pub const fn named(name: &'static str) -> Self {
        Service {
            name,
            schema: 0,
            methods: &[],
            descriptors: Descriptors::NONE,
        }
    }

    /// Returns true if only the name of the service is known.
    pub(crate) fn is_by_name(&self) -> bool {
        self.schema == 0 && self.methods.is_empty()
    }

    /// Returns the entry of the service in the manifest.
    pub fn describe(&self) -> manifest::Service {
        manifest::Service {
            name: self.name.into(),
            schema: self.schema,
            methods: self.methods.iter().map(MethodInfo::describe).collect(),
        }
    }
}
