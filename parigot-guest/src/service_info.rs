//! Static tables of services and their methods, on which guest and host must agree.

use alloc::vec::Vec;
use core::time::Duration;

use parigot_abi::manifest;

/// The static table of a service, written by the generator.
#[derive(Debug)]
pub struct Service {
    /// Full name, for example `greeting.v1.Greeting`.
    pub name: &'static str,
    /// Hash of the schema, computed by the generator.
    pub schema: u64,
    /// The methods. Calls name a method by its index here.
    pub methods: &'static [MethodInfo],
    /// Serialized `FileDescriptorSet` of the messages, for callers without generated code; may be
    /// empty.
    pub descriptors: &'static [u8],
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
    idempotent: bool,
}

impl MethodInfo {
    /// Creates the entry of a method. `name` is spelled as in the `.proto`: `FetchGreeting`.
    pub const fn new(name: &'static str) -> Self {
        MethodInfo {
            name,
            budget: Duration::ZERO,
            deadline: Duration::ZERO,
            idempotent: false,
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
            idempotent: true,
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
        self.idempotent
    }

    fn describe(&self) -> manifest::Method {
        let ns = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        manifest::Method {
            name: self.name.into(),
            budget_ns: ns(self.budget),
            deadline_ns: ns(self.deadline),
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
            descriptors: &[],
        }
    }

    /// Returns true if only the name of the service is known.
    pub(crate) fn is_by_name(&self) -> bool {
        self.schema == 0 && self.methods.is_empty()
    }

    /// Returns the entry of the service in the manifest. `descriptors` tells if the entry includes
    /// the descriptors, which only some hosts request.
    pub fn describe(&self, descriptors: bool) -> manifest::Service {
        manifest::Service {
            name: self.name.into(),
            schema: self.schema,
            methods: self.methods.iter().map(MethodInfo::describe).collect(),
            descriptors: if descriptors {
                self.descriptors.into()
            } else {
                Vec::new()
            },
        }
    }
}
