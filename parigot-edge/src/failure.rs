//! Failed calls as clients see them.

use parigot_abi::id::CallId;
use parigot_abi::{Cause, Code, Fate};
use parigot_host::client::{CallFailure, ErrorDetail, FailureKind};
use parigot_host::deployment::ErrorTexts;
use parigot_host::descriptors::Schemas;
use prost::Message as _;

/// Domain of the reasons that the host reports.
const DOMAIN: &str = "parigot";

/// Failure of a request, without the form of a protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientFailure {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// Messages for programs.
    pub(crate) details: Vec<ErrorDetail>,
    pub(crate) fate: Fate,
}

/// `google.rpc.ErrorInfo`
#[derive(Clone, PartialEq, prost::Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
}

/// Form of failures of one edge.
pub(crate) struct FailureForm<'a> {
    pub(crate) schemas: &'a Schemas,
    pub(crate) texts: ErrorTexts,
}

impl ClientFailure {
    /// Creates the failure of a request that no guest has seen.
    pub(crate) fn refused(code: Code, message: impl Into<String>) -> Self {
        ClientFailure {
            code,
            message: message.into(),
            details: Vec::new(),
            fate: Fate::Refused,
        }
    }

    /// Creates the failure of a call whose response cannot be sent.
    pub(crate) fn answer_lost(message: impl Into<String>) -> Self {
        ClientFailure {
            code: Code::Internal,
            message: message.into(),
            details: vec![error_info("ANSWER_LOST", DOMAIN)],
            fate: Fate::Unknown,
        }
    }
}

impl FailureForm<'_> {
    /// Returns the failure of a call to `service` for the client.
    pub(crate) fn of_call(&self, service: &str, id: CallId, failure: CallFailure) -> ClientFailure {
        let fate = failure.cause.fate();
        match failure.kind {
            FailureKind::Service(number) => self.of_service(service, number, failure),
            // The callee has written the text for its callers.
            FailureKind::Status(code) if failure.cause == Cause::Answered => ClientFailure {
                code,
                message: failure.message,
                details: failure.details,
                fate,
            },
            FailureKind::Status(code) => {
                let reason = failure.cause.to_string().to_uppercase().replace(' ', "_");
                let mut details = failure.details;
                // The code and the fate tell all about a deadline, and protocols expect no detail.
                if !matches!(failure.cause, Cause::TimedOut | Cause::Expired) {
                    details.push(error_info(&reason, DOMAIN));
                }
                ClientFailure {
                    code,
                    message: self.host_text(failure.cause, id, failure.message),
                    details,
                    fate,
                }
            }
        }
    }

    /// Returns the failure of a call that ended with an error of the service's enum.
    fn of_service(&self, service: &str, number: i32, failure: CallFailure) -> ClientFailure {
        let CallFailure {
            message,
            mut details,
            ..
        } = failure;
        let error = self.schemas.error(service, number);
        let code = error.map_or(Code::FailedPrecondition, |error| error.code);
        let words = match error {
            Some(error) => words(&error.name),
            None => vec!["error".to_owned(), number.to_string()],
        };
        details.push(error_info(&words.join("_").to_uppercase(), service));
        ClientFailure {
            code,
            message: match message.is_empty() {
                true => words.join(" "),
                false => message,
            },
            details,
            fate: Fate::Answered,
        }
    }

    /// Returns the text of a failure that the host reports. The host's own texts may name guests,
    /// files and panics.
    fn host_text(&self, cause: Cause, id: CallId, full: String) -> String {
        if self.texts == ErrorTexts::Full {
            return full;
        }
        let brief = match cause {
            Cause::TimedOut => "no reply within the deadline",
            Cause::Expired => "the deadline passed before the call began",
            Cause::Cancelled => "the call was cancelled",
            Cause::TooLarge => "the request is too large",
            Cause::Overloaded => "the service is overloaded",
            Cause::Undecodable => "the request cannot be decoded",
            Cause::NoSuchMethod => "the service has no such method",
            Cause::Unreachable => "the service is not available",
            Cause::AnswerLost => "the reply was lost",
            Cause::CalleeExited | Cause::CalleeKilled | Cause::CalleeTrapped => {
                "the service failed during the call"
            }
            Cause::Answered | Cause::Unspecified => "the call failed",
        };
        format!("{brief} ({id})")
    }
}

fn error_info(reason: &str, domain: &str) -> ErrorDetail {
    let info = ErrorInfo {
        reason: reason.to_owned(),
        domain: domain.to_owned(),
    };
    ErrorDetail {
        type_name: "google.rpc.ErrorInfo".to_owned(),
        value: info.encode_to_vec(),
    }
}

/// Returns the words of a name, `SOLD_OUT` or `SoldOut`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut may_continue = false;
    let mut was_lower = false;
    for c in name.chars() {
        let begins = c.is_ascii_uppercase() && was_lower;
        if !c.is_ascii_alphanumeric() {
            may_continue = false;
            was_lower = false;
            continue;
        }
        if !may_continue || begins {
            words.push(String::new());
        }
        let word = words.last_mut().expect("a word was begun");
        word.push(c.to_ascii_lowercase());
        was_lower = !c.is_ascii_uppercase();
        may_continue = true;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: FailureKind, cause: Cause, message: &str) -> CallFailure {
        CallFailure {
            kind,
            cause,
            message: message.into(),
            details: Vec::new(),
        }
    }

    fn of_call(texts: ErrorTexts, failure: CallFailure) -> ClientFailure {
        let (schemas, _) = Schemas::of(&[]);
        let form = FailureForm {
            schemas: &schemas,
            texts,
        };
        form.of_call("x.Shop", CallId::from_random(1), failure)
    }

    #[test]
    fn names_are_split_into_words() {
        assert_eq!(words("UnknownLang"), ["unknown", "lang"]);
        assert_eq!(words("SOLD_OUT"), ["sold", "out"]);
        assert_eq!(words("Http2Error"), ["http2", "error"]);
        assert_eq!(words("_"), [""; 0]);
    }

    #[test]
    fn texts_of_the_host_are_brief() {
        let kind = FailureKind::Status(Code::Internal);
        let trapped = failure(kind, Cause::CalleeTrapped, "shop panicked at src/lib.rs:7");
        let brief = of_call(ErrorTexts::Brief, trapped.clone());
        let id = CallId::from_random(1);
        assert_eq!(
            brief.message,
            format!("the service failed during the call ({id})")
        );
        assert_eq!(brief.fate, Fate::Unknown);
        assert_eq!(brief.details, [error_info("CALLEE_TRAPPED", "parigot")]);
        let full = of_call(ErrorTexts::Full, trapped);
        assert_eq!(full.message, "shop panicked at src/lib.rs:7");
    }

    #[test]
    fn a_passed_deadline_has_no_detail() {
        let kind = FailureKind::Status(Code::DeadlineExceeded);
        let sent = of_call(ErrorTexts::Brief, failure(kind, Cause::Expired, ""));
        assert_eq!((sent.fate, sent.details), (Fate::Refused, Vec::new()));
    }

    #[test]
    fn texts_of_the_callee_are_kept() {
        let kind = FailureKind::Status(Code::NotFound);
        let answered = failure(kind, Cause::Answered, "no such pizza");
        let sent = of_call(ErrorTexts::Brief, answered);
        assert_eq!(
            (sent.code, &*sent.message),
            (Code::NotFound, "no such pizza")
        );
        assert_eq!((sent.fate, sent.details), (Fate::Answered, Vec::new()));
    }

    #[test]
    fn an_unknown_error_of_a_service_has_its_number() {
        let sent = of_call(
            ErrorTexts::Brief,
            failure(FailureKind::Service(7), Cause::Answered, ""),
        );
        assert_eq!(
            (sent.code, &*sent.message),
            (Code::FailedPrecondition, "error 7")
        );
        assert_eq!(sent.details, [error_info("ERROR_7", "x.Shop")]);
    }
}
