//! Recorded frames, as a test inspects them.

use std::fmt;
use std::time::Duration;

use parigot_abi::frame::Level;
use parigot_abi::id::CallId;
use parigot_abi::status::Detail;
use parigot_abi::{Code, Credit, Kind};

/// Name of the host in [`Frame::from`] and [`Frame::to`].
pub(super) const HOST: &str = "host";

/// Frame that a guest or the host sent during a run.
///
/// The [`Display`](fmt::Display) form is one line: time, sender, receiver, kind and content. A call
/// from one guest to another is recorded as one frame, although the host passes it on.
///
/// ```no_run
/// # use parigot_host::testing::{Kind, TestRun};
/// # fn test(run: TestRun) {
/// let frames = run.frames();
/// let calls = frames.iter().filter(|frame| frame.kind == Kind::Call && frame.to == "kitchen");
/// assert_eq!(calls.count(), 3);
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Frame {
    /// Time when the frame was sent, on the host's clock.
    pub at: Duration,
    /// Sender: the name of a guest, `test` or `host`.
    pub from: String,
    /// Receiver: the name of a guest, `test` or `host`.
    pub to: String,
    /// Kind of the frame.
    ///
    /// The end of a guest that failed or was killed is recorded as [`Kind::Exit`] with status 1 and
    /// the reason as text.
    pub kind: Kind,
    /// Full name of the service of a call, its reply or its cancellation; otherwise empty.
    pub service: String,
    /// Name of the method; empty if `service` is empty.
    pub method: String,
    /// Id of the call; empty for a frame that belongs to no call.
    pub call: CallId,
    /// Status code or error number of a reply, level of a log line, or exit status; otherwise 0.
    pub status: u32,
    /// True if `status` is a number of the service's error enum.
    pub is_service_error: bool,
    /// Encoded [`Detail`] of a failed call; otherwise empty.
    pub detail: Vec<u8>,
    /// Encoded message of a call or a reply, the text of an exit, or the text of a log line with
    /// its attributes.
    pub payload: Vec<u8>,
    /// Effect of an injected [`Fault`](super::Fault) on the frame.
    pub effect: Option<Effect>,
}

/// Effect of a [`Fault`](super::Fault) on a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The frame did not arrive.
    Lost,
    /// The frame arrived later by this time on the host's clock.
    Delayed(Duration),
    /// The callee crashed when the call arrived, or when it sent the reply.
    Crashed,
}

impl Frame {
    /// Returns the text of a log line or an exit. Bytes that are not UTF-8 are replaced by U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }

    /// Formats the part of the line that depends on the kind.
    fn content(&self) -> String {
        let call = format!("{}/{} {}", self.service, self.method, self.call.short());
        match self.kind {
            Kind::Call => format!("{call}, {} bytes", self.payload.len()),
            Kind::Reply if self.service.is_empty() => format!("launch {}", self.result()),
            Kind::Reply => format!("{call} {}", self.result()),
            Kind::Item => format!("{call}, {} bytes", self.payload.len()),
            Kind::Credit => match Credit::read(&self.payload) {
                Ok(Credit { items, bytes }) => format!("{call}, {items} items, {bytes} bytes"),
                Err(_) => call,
            },
            Kind::Cancel | Kind::Open | Kind::End => call,
            Kind::Log => format!(
                "{:?}: {}",
                Level::from_number(self.status).unwrap_or(Level::Info),
                self.text()
            ),
            Kind::Exit => format!("status {}: {}", self.status, self.text()),
            _ => String::new(),
        }
    }

    /// Formats the result that a reply has.
    fn result(&self) -> String {
        if self.is_service_error {
            return format!("error {}", self.status.cast_signed());
        }
        let Detail { cause, message, .. } = Detail::read(&self.detail);
        match Code::from_number(self.status) {
            Some(Code::Ok) => format!("OK, {} bytes", self.payload.len()),
            Some(code) => format!("{code}: {cause}: {message}"),
            None => format!("code {}: {cause}: {message}", self.status),
        }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_ms = self.at.as_secs_f64() * 1e3;
        let route = format!("{} -> {}", self.from, self.to);
        let content = self.content();
        let space = if content.is_empty() { "" } else { " " };
        write!(
            f,
            "{at_ms:10.3} ms  {route:<22} {:?}{space}{content}",
            self.kind
        )?;
        match self.effect {
            None => Ok(()),
            Some(Effect::Lost) => f.write_str(" (lost)"),
            Some(Effect::Delayed(by)) => write!(f, " (delayed by {by:?})"),
            Some(Effect::Crashed) => f.write_str(" (crash)"),
        }
    }
}
