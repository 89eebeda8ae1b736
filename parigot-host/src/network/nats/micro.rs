//! What tools of NATS see of the services that are offered here: the answers of the micro protocol (ADR-32 of NATS), so that `nats micro ls`, `info`
//! and `stats` show them.
//!
//! Its names have no dots, so `greeting.v1.Greeting` is `greeting_v1_Greeting` there, and its own name stands in the metadata. A service has one endpoint,
//! whose calls are those of parigot: others cannot make them.

use async_nats::datetime::{self, DateTime};
use serde_json::{Value, json};

use super::context::NatsContext;
use super::exports::{Offering, Stats};

/// What is asked, and of whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inquiry<'a> {
    verb: Verb,
    name: Option<&'a str>,
    id: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Ping,
    Info,
    Stats,
}

/// The subjects on which a service named so is asked.
pub(super) fn subjects(service: &str, context: &NatsContext) -> [String; 2] {
    let name = name(service);
    [
        format!("$SRV.*.{name}"),
        format!("$SRV.*.{name}.{}", context.me.host),
    ]
}

/// The subject on which all services are asked.
pub(super) const ALL: &str = "$SRV.*";

fn name(service: &str) -> String {
    service.replace('.', "_")
}

impl<'a> Inquiry<'a> {
    /// Reads `$SRV.PING`, `$SRV.INFO.greeting_v1_Greeting` and the like.
    pub(super) fn read(subject: &'a str) -> Option<Self> {
        let mut tokens = subject.strip_prefix("$SRV.")?.split('.');
        let verb = match tokens.next()? {
            "PING" => Verb::Ping,
            "INFO" => Verb::Info,
            "STATS" => Verb::Stats,
            _ => return None,
        };
        let (name, id) = (tokens.next(), tokens.next());
        tokens
            .next()
            .is_none()
            .then_some(Inquiry { verb, name, id })
    }

    /// What a service says to it, if it is asked.
    pub(super) fn answer(self, context: &NatsContext, offering: &Offering) -> Option<Vec<u8>> {
        let id = context.me.host.to_string();
        let name = name(&offering.offer.service);
        if self.name.is_some_and(|asked| asked != name) || self.id.is_some_and(|asked| asked != id)
        {
            return None;
        }
        let mut answer = json!({
            "name": name,
            "id": id,
            "version": env!("CARGO_PKG_VERSION"),
            "metadata": {
                "service": offering.offer.service,
                "schema": format!("{:016x}", offering.offer.schema),
                "process": context.me.process,
            },
        });
        match self.verb {
            Verb::Ping => answer["type"] = "io.nats.micro.v1.ping_response".into(),
            Verb::Info => {
                answer["type"] = "io.nats.micro.v1.info_response".into();
                answer["description"] =
                    format!("{}, offered by parigot", offering.offer.service).into();
                answer["endpoints"] = json!([info(context, offering)]);
            }
            Verb::Stats => {
                answer["type"] = "io.nats.micro.v1.stats_response".into();
                answer["started"] = started(offering.started_ns).into();
                answer["endpoints"] = json!([stats(context, offering)]);
            }
        }
        Some(answer.to_string().into_bytes())
    }
}

fn info(context: &NatsContext, offering: &Offering) -> Value {
    json!({
        "name": "call",
        "subject": offering.subject(context),
        "queue_group": offering.offer.service,
        "metadata": { "methods": offering.offer.methods.join(",") },
    })
}

fn stats(context: &NatsContext, offering: &Offering) -> Value {
    let Stats {
        requests,
        errors,
        time,
    } = offering.tally;
    let nanoseconds = time.as_nanos() as u64;
    json!({
        "name": "call",
        "subject": offering.subject(context),
        "queue_group": offering.offer.service,
        "num_requests": requests,
        "num_errors": errors,
        "last_error": "",
        "processing_time": nanoseconds,
        "average_processing_time": nanoseconds.checked_div(requests).unwrap_or(0),
    })
}

/// A wall time as RFC 3339 has it.
fn started(wall_ns: u64) -> String {
    let at = datetime::from_nanos(wall_ns.into()).unwrap_or(DateTime::UNIX_EPOCH);
    let (date, month) = (at.date(), u8::from(at.month()));
    format!(
        "{:04}-{month:02}-{:02}T{:02}:{:02}:{:02}Z",
        date.year(),
        date.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}
