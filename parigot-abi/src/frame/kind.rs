//! The numbers of a frame: its kind, its flags, and the level of a line of the log.

/// The flags of a frame.
pub mod flags {
    /// On a reply: `status` is a number of the service's error enum (an `i32`), not a code.
    pub const SERVICE_ERROR: u16 = 1;
    /// On a start: the manifest shall bear descriptors.
    pub const DESCRIPTORS: u16 = 1 << 1;
    /// All that this version knows.
    pub const KNOWN: u16 = SERVICE_ERROR | DESCRIPTORS;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        /// What a frame is. "In" is from the host to the guest, "out" the other way.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Kind { $($(#[$doc])* $name = $number,)* }

        impl Kind {
            /// The kind of that number.
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Kind::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    /// In, the first frame of all: see [`crate::Start`].
    Start = 1;
    /// In: all that the guest requires is ready. The payload is a `u32` handle for each required service, in the manifest's
    /// order. For each service that it requires [by name](crate::manifest::Service::is_by_name) the metadata has the names of the methods: the
    /// service's name is the key, a method's the value, in the order in which calls name them. The guest answers with a reply to [`LAUNCH_NUMBER`] once it can serve calls itself.
    Launched = 2;
    /// In and out: an rpc. `service`, `method`, `deadline_ns` and metadata say which and how, the payload is the request.
    /// The host sets the call's id; a guest leaves it empty.
    Call = 3;
    /// In and out: the end of a call. `status` is a code, 0 for an answer whose payload is the response; or see
    /// [`flags::SERVICE_ERROR`]. The host sets the call's id.
    Reply = 4;
    /// In and out: nobody waits for that call any more.
    Cancel = 5;
    /// In: leave by `deadline_ns`.
    Stop = 6;
    /// Out, the guest's first frame: see [`crate::Manifest`].
    Manifest = 7;
    /// Out: the guest waits for [`Kind::Launched`]. A host that knows that this will never be may send a [`Kind::Reply`] to
    /// [`LAUNCH_NUMBER`] with a failure instead.
    Launch = 8;
    /// Out: a line for the log. `status` is a [`Level`], `number` the inbound call that it is about or
    /// [`crate::control::NO_CALL`], metadata its fields, the payload its text.
    Log = 9;
    /// Out, the guest's last frame: it leaves. `status` is its exit status, 0 to 255; the payload says why, for the log.
    Exit = 10;
    /// Reserved for streams: one message of the call `number`.
    Item = 11;
    /// Reserved for streams: the other side may send `status` more items.
    Credit = 12;
    /// Reserved for streams: no more items come; otherwise as [`Kind::Reply`].
    End = 13;
}

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Level {
    /// Something failed.
    Error = 1,
    /// Something may fail.
    Warn = 2,
    /// What people want to know.
    Info = 3,
    /// What developers want to know.
    Debug = 4,
    /// Everything.
    Trace = 5,
}

impl Level {
    /// The level of that number.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Level::Error),
            2 => Some(Level::Warn),
            3 => Some(Level::Info),
            4 => Some(Level::Debug),
            5 => Some(Level::Trace),
            _ => None,
        }
    }
}
