//! What is sent between guests and their host, as a test looks at it.

use std::fmt;
use std::time::Duration;

use parigot_abi::frame::Level;
use parigot_abi::id::CallId;
use parigot_abi::status::Detail;
use parigot_abi::{Code, Kind};

/// The name of the host in [`Frame::from`] and [`Frame::to`].
pub(super) const HOST: &str = "host";

/// A frame that was sent.
///
/// It prints as one line: when, from whom to whom, and what. A call that is on its way from one guest to another is one frame.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Frame {
    /// When it was sent, on the host's clock.
    pub at: Duration,
    /// The guest that sent it, `test` or `host`.
    pub from: String,
    /// Whom it was sent to.
    pub to: String,
    /// What it is. A guest that failed, or was killed, is shown as one that exits with status 1 and says why.
    pub kind: Kind,
    /// The full name of the service that a call, its reply or its cancellation is about, else empty.
    pub service: String,
    /// The name of its method, else empty.
    pub method: String,
    /// The id of the call, empty if there is none.
    pub call: CallId,
    /// Code or error number of a reply, level of a line of the log, exit status; else 0.
    pub status: u32,
    /// Whether `status` is a number of the service's error enum.
    pub is_service_error: bool,
    /// What happened to a call that failed, else empty.
    pub detail: Vec<u8>,
    /// The message, or the text.
    pub payload: Vec<u8>,
    /// What a [`Fault`](super::Fault) has done to it.
    pub effect: Option<Effect>,
}

/// What has happened to a frame on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It never arrived.
    Lost,
    /// It arrived that much later.
    Delayed(Duration),
    /// The service that got the call, or was to send the reply, crashed at that moment.
    Crashed,
}

impl Frame {
    /// The text of a line of the log, or of an exit.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }

    /// What it is about, and what it says.
    fn content(&self) -> String {
        let call = format!("{}/{} {}", self.service, self.method, self.call.short());
        match self.kind {
            Kind::Call => format!("{call}, {} bytes", self.payload.len()),
            Kind::Reply if self.service.is_empty() => format!("launch {}", self.end()),
            Kind::Reply => format!("{call} {}", self.end()),
            Kind::Cancel => call,
            Kind::Log => format!(
                "{:?}: {}",
                Level::from_number(self.status).unwrap_or(Level::Info),
                self.text()
            ),
            Kind::Exit => format!("status {}: {}", self.status, self.text()),
            _ => String::new(),
        }
    }

    /// How it says that a call has ended.
    fn end(&self) -> String {
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
        let (at_ms, route) = (
            self.at.as_secs_f64() * 1e3,
            format!("{} -> {}", self.from, self.to),
        );
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
