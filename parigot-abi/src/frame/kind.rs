//! The numbers of a frame: its kind, its flags, and the level of a log line.

/// The flags of a frame: bits 0 to 3. The other bits are reserved and zero.
pub mod flags {
    /// On a reply: `status` is a number of the service's error enum (an `i32`), not a code.
    pub const SERVICE_ERROR: u16 = 1;
    /// On a start: the host requests descriptors in the manifest.
    pub const DESCRIPTORS: u16 = 1 << 1;
    /// On an item, a credit and an end: the frame travels from the caller of the call to the
    /// callee. Without this flag it travels from the callee to the caller.
    ///
    /// The flag selects the number space of the frame's number: see [`frame`](crate::frame).
    pub const TO_CALLEE: u16 = 1 << 2;
    /// On an incoming call: `deadline_ns` is a default, of the method or of the deployment; the
    /// caller has set none.
    pub const DEFAULT_DEADLINE: u16 = 1 << 3;
    /// All flags of this version.
    pub const KNOWN: u16 = SERVICE_ERROR | DESCRIPTORS | TO_CALLEE | DEFAULT_DEADLINE;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal;)*) => {
        /// The kind of a frame. "In" is from the host to the guest, "out" from the guest to the
        /// host.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Kind { $($(#[$doc])* $name = $number,)* }

        impl Kind {
            /// Returns the kind with that number, or `None` if this version has none.
            ///
            /// ```
            /// use parigot_abi::Kind;
            ///
            /// assert_eq!(Kind::from_number(3), Some(Kind::Call));
            /// assert_eq!(Kind::from_number(999), None);
            /// ```
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Kind::$name),)* _ => None }
            }
        }
    };
}

kinds! {
    /// In, the first frame: see [`crate::Start`].
    Start = 1;
    /// In: all required services are ready.
    ///
    /// The payload is a `u32` handle for each required service, in the manifest's order. The
    /// metadata lists the methods of services required
    /// [by name](crate::manifest::Service::is_by_name): the key is the index of the requirement
    /// as a decimal number, the value is a method's name, in the order of the indices in calls. The
    /// words ` requests` and ` responses` follow the name if these stream:
    /// `Chat requests responses`.
    /// The guest sends a reply with
    /// [`LAUNCH_NUMBER`](crate::frame::LAUNCH_NUMBER) once it can serve calls.
    Launched = 2;
    /// In and out: an rpc. `service`, `method`, `deadline_ns` and the metadata describe the call,
    /// and the payload is the request. On an incoming call the id is the call's id, which the host
    /// has assigned. On an outgoing call `id_high` is 0, and `id_low` is the number of the inbound
    /// call on whose behalf the guest makes the call; 0 if there is none.
    Call = 3;
    /// In and out: the end of a call. `status` is a code. Code 0 is success, and then the payload
    /// is the response. With [`flags::SERVICE_ERROR`], `status` is an error number instead, never
    /// 0. The metadata holds the trailers. The host sets the call's id.
    Reply = 4;
    /// In and out: the caller no longer waits for the call.
    Cancel = 5;
    /// In: the guest must exit by `deadline_ns`.
    Stop = 6;
    /// Out, the guest's first frame: see [`crate::Manifest`].
    Manifest = 7;
    /// Out: the guest waits for [`Kind::Launched`]. If the launch can never happen, the host may
    /// send a failed [`Kind::Reply`] with [`LAUNCH_NUMBER`](crate::frame::LAUNCH_NUMBER) instead.
    Launch = 8;
    /// Out: a log line. `status` is a [`Level`], and `number` is the related inbound call or
    /// [`crate::control::NO_CALL`]. The payload is the text. The metadata holds the fields: names,
    /// and values in JSON. A value that is not JSON is a text.
    Log = 9;
    /// Out, the guest's last frame: the guest exits. `status` is the exit status, 0 to 255; the
    /// payload is the reason, for the log.
    Exit = 10;
    /// In and out: one message of a stream, which is the payload. Only calls of methods that stream
    /// have items: see [`stream`](crate::stream).
    Item = 11;
    /// In and out: permission to send items. The payload is a [`Credit`](crate::Credit), two `u64`:
    /// the number of items, and the number of their payload bytes, that the receiver of this frame
    /// may have sent since the call began.
    Credit = 12;
    /// In and out, with [`flags::TO_CALLEE`]: the caller sends no more items.
    End = 13;
    /// In and out: the response headers of a call, from the callee to the caller; the metadata
    /// holds them. At most one for each call, before its first [`Kind::Item`] and its
    /// [`Kind::Reply`]. A callee without headers sends none, or an empty one.
    Open = 14;
}

/// The severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Level {
    /// An operation failed.
    Error = 1,
    /// An operation may fail.
    Warn = 2,
    /// Information for users and operators.
    Info = 3,
    /// Information for developers.
    Debug = 4,
    /// The finest detail.
    Trace = 5,
}

impl Level {
    /// Returns the level with that number, or `None` if this version has none.
    ///
    /// ```
    /// use parigot_abi::frame::Level;
    ///
    /// assert_eq!(Level::from_number(3), Some(Level::Info));
    /// assert_eq!(Level::from_number(0), None);
    /// ```
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
