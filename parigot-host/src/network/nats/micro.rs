//! Responses to the NATS tools by the micro protocol (ADR-32 of NATS), so that `nats micro ls`,
//! `info` and `stats` show the services of this process.
//!
//! The protocol does not allow dots in names, so the tools show `greeting.v1.Greeting` as
//! `greeting_v1_Greeting`, with the full name in the metadata. Each service has one endpoint for
//! all calls. Only processes of the deployment can call it, because the payloads are envelopes.

use async_nats::Message;
use async_nats::datetime::{self, DateTime};
use serde_json::{Value, json};

use super::context::NatsContext;
use super::exports::{Export, Exports, Stats};
use super::unexpected::Unexpected;

/// Request of a NATS tool, and the services to which it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MicroRequest<'a> {
    verb: Verb,
    /// Name of the service; `None` for all services.
    name: Option<&'a str>,
    /// Host id of the process; `None` for all processes.
    id: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Ping,
    Info,
    Stats,
}

/// Returns the subjects of requests for a service: in all processes, and in this process.
pub(super) fn subjects(service: &str, context: &NatsContext) -> [String; 2] {
    let name = name(service);
    [
        format!("$SRV.*.{name}"),
        format!("$SRV.*.{name}.{}", context.me.host),
    ]
}

/// Subject of requests for all services.
pub(super) const ALL: &str = "$SRV.*";

/// Returns the name of a service in the micro protocol.
fn name(service: &str) -> String {
    service.replace('.', "_")
}

/// Responds to a NATS tool with one message for each matching service.
pub(super) fn respond(
    context: &NatsContext,
    exports: &Exports,
    message: &Message,
) -> Result<(), Unexpected> {
    let request = MicroRequest::read(&message.subject).ok_or(Unexpected)?;
    let reply = message.reply.as_deref().ok_or(Unexpected)?;
    for response in exports
        .all()
        .filter_map(|export| request.response(context, export))
    {
        context.publish(reply.to_owned(), None, None, response.into());
    }
    Ok(())
}

impl<'a> MicroRequest<'a> {
    /// Parses a subject such as `$SRV.PING` or `$SRV.INFO.greeting_v1_Greeting`.
    pub(super) fn read(subject: &'a str) -> Option<Self> {
        let mut tokens = subject.strip_prefix("$SRV.")?.split('.');
        let verb = match tokens.next()? {
            "PING" => Verb::Ping,
            "INFO" => Verb::Info,
            "STATS" => Verb::Stats,
            _ => return None,
        };
        let name = tokens.next();
        let id = tokens.next();
        tokens
            .next()
            .is_none()
            .then_some(MicroRequest { verb, name, id })
    }

    /// Returns the response of a service; `None` if the request is for other services.
    pub(super) fn response(self, context: &NatsContext, export: &Export) -> Option<Vec<u8>> {
        let id = context.me.host.to_string();
        let name = name(&export.spec.service);
        if self.name.is_some_and(|requested| requested != name)
            || self.id.is_some_and(|requested| requested != id)
        {
            return None;
        }
        let mut response = json!({
            "name": name,
            "id": id,
            "version": env!("CARGO_PKG_VERSION"),
            "metadata": {
                "service": export.spec.service,
                "schema": format!("{:016x}", export.spec.schema),
                "process": context.me.process,
            },
        });
        match self.verb {
            Verb::Ping => response["type"] = "io.nats.micro.v1.ping_response".into(),
            Verb::Info => {
                response["type"] = "io.nats.micro.v1.info_response".into();
                response["description"] = format!("parigot service {}", export.spec.service).into();
                response["endpoints"] = json!([info(context, export)]);
            }
            Verb::Stats => {
                response["type"] = "io.nats.micro.v1.stats_response".into();
                response["started"] = started(export.started_ns).into();
                response["endpoints"] = json!([stats(context, export)]);
            }
        }
        Some(response.to_string().into_bytes())
    }
}

fn info(context: &NatsContext, export: &Export) -> Value {
    json!({
        "name": "call",
        "subject": export.subject(context),
        "queue_group": export.spec.service,
        "metadata": { "methods": export.spec.methods.join(",") },
    })
}

fn stats(context: &NatsContext, export: &Export) -> Value {
    let Stats {
        requests,
        errors,
        time,
    } = export.stats;
    let nanoseconds = time.as_nanos() as u64;
    json!({
        "name": "call",
        "subject": export.subject(context),
        "queue_group": export.spec.service,
        "num_requests": requests,
        "num_errors": errors,
        "last_error": "",
        "processing_time": nanoseconds,
        "average_processing_time": nanoseconds.checked_div(requests).unwrap_or(0),
    })
}

/// Formats a wall time by RFC 3339.
fn started(wall_ns: u64) -> String {
    let at = datetime::from_nanos(wall_ns.into()).unwrap_or(DateTime::UNIX_EPOCH);
    let date = at.date();
    let month = u8::from(at.month());
    format!(
        "{:04}-{month:02}-{:02}T{:02}:{:02}:{:02}Z",
        date.year(),
        date.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}
