//! Permissions that the NATS server denies to the user of this process.
//!
//! The server reports a denied subscription or message as an error with the subject, and drops the
//! message. Without that report, a start would wait for its deadline, and so would a call.

use super::subjects::Subjects;

/// A denied subscription or message.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Denial {
    action: Action,
    subject: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Publish,
    Subscribe,
}

/// A denied subject of one service, which this process requires.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum DeniedImport<'d> {
    /// The process cannot find the exporters.
    Discovery(&'d str),
    /// The process cannot send calls.
    Calls(&'d str),
}

impl Denial {
    /// Reads an error of the server; `None` if the error concerns no permission.
    pub(super) fn read(error: &str) -> Option<Self> {
        let (_, violation) = error.split_once("Permissions Violation for ")?;
        let (action, rest) = if let Some(rest) = violation.strip_prefix("Publish to \"") {
            (Action::Publish, rest)
        } else {
            let rest = violation.strip_prefix("Subscription to \"")?;
            (Action::Subscribe, rest)
        };
        let (subject, _) = rest.split_once('"')?;
        Some(Denial {
            action,
            subject: subject.to_owned(),
        })
    }

    /// Returns whether the processes of the deployment need the permission. Other subjects serve
    /// the NATS tools.
    pub(super) fn is_needed(&self, subjects: &Subjects) -> bool {
        subjects.split(&self.subject).is_some()
    }

    /// Returns the service that this process cannot find or call without the permission.
    pub(super) fn import<'d>(&'d self, subjects: &Subjects) -> Option<DeniedImport<'d>> {
        let (verb, rest) = subjects.split(&self.subject)?;
        match (self.action, verb) {
            (Action::Subscribe, "ready") | (Action::Publish, "query") => {
                Some(DeniedImport::Discovery(rest))
            }
            (Action::Publish, "call") => Some(DeniedImport::Calls(rest.rsplit_once('.')?.0)),
            _ => None,
        }
    }

    /// Returns the denied action, with its subject.
    pub(super) fn action(&self) -> String {
        let verb = match self.action {
            Action::Publish => "publish",
            Action::Subscribe => "subscribe",
        };
        format!("to {verb} to {}", self.subject)
    }

    /// Returns the permission to add. Ids of processes and calls are new in each run, so wildcards
    /// replace them.
    pub(super) fn next_step(&self, subjects: &Subjects) -> String {
        let key = match self.action {
            Action::Publish => "publish",
            Action::Subscribe => "subscribe",
        };
        format!(
            "add \"{}\" to `{key}` in the permissions of this user in the server's configuration",
            subjects.pattern(&self.subject)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subjects() -> Subjects {
        Subjects::of("shop")
    }

    #[track_caller]
    fn denial(error: &str) -> Denial {
        Denial::read(error).expect("the error concerns a permission")
    }

    #[test]
    fn each_subject_has_a_permission_for_all_runs() {
        let cases = [
            ("parigot.shop.inbox.hst_1.cal_2", "parigot.shop.inbox.>"),
            ("parigot.shop.inbox.hst_1.*", "parigot.shop.inbox.>"),
            ("parigot.shop.chunks.hst_1.*", "parigot.shop.chunks.>"),
            ("parigot.shop.cancel.hst_1", "parigot.shop.cancel.>"),
            ("parigot.shop.schema.hst_1", "parigot.shop.schema.>"),
            ("parigot.shop.ready.x.Kv", "parigot.shop.ready.x.Kv"),
            ("parigot.shop.query.x.Kv", "parigot.shop.query.x.Kv"),
            ("parigot.shop.call.x.Kv.00a1", "parigot.shop.call.x.Kv.*"),
            ("$SRV.*.x_Kv", "$SRV.>"),
            ("_INBOX.abc.1", "_INBOX.>"),
        ];
        for (subject, pattern) in cases {
            let denial = denial(&format!(
                "Permissions Violation for Publish to \"{subject}\""
            ));
            assert_eq!(
                denial.next_step(&subjects()),
                format!(
                    "add \"{pattern}\" to `publish` in the permissions of this user in the \
                     server's configuration"
                )
            );
            assert_eq!(
                denial.is_needed(&subjects()),
                subject.starts_with("parigot.shop."),
                "{subject}"
            );
        }
    }

    #[test]
    fn a_queue_group_is_no_part_of_the_subject() {
        let denial = denial(
            "nats: Permissions Violation for Subscription to \"parigot.shop.call.x.Kv.00a1\" \
             using queue \"x.Kv\" (sid \"7\")",
        );
        assert_eq!(
            denial.action(),
            "to subscribe to parigot.shop.call.x.Kv.00a1"
        );
        assert_eq!(denial.import(&subjects()), None);
    }

    #[test]
    fn a_denied_import_names_its_service() {
        let import = |error: &str| {
            let denial = denial(error);
            denial
                .import(&subjects())
                .map(|import| format!("{import:?}"))
        };
        let found = Some("Discovery(\"x.Kv\")".to_owned());
        assert_eq!(
            import("Permissions Violation for Subscription to \"parigot.shop.ready.x.Kv\""),
            found
        );
        assert_eq!(
            import("Permissions Violation for Publish to \"parigot.shop.query.x.Kv\""),
            found
        );
        assert_eq!(
            import("Permissions Violation for Publish to \"parigot.shop.call.x.Kv.00a1\""),
            Some("Calls(\"x.Kv\")".to_owned())
        );
        // An exporter, and another deployment.
        assert_eq!(
            import("Permissions Violation for Publish to \"parigot.shop.ready.x.Kv\""),
            None
        );
        assert_eq!(
            import("Permissions Violation for Publish to \"parigot.cafe.query.x.Kv\""),
            None
        );
    }

    #[test]
    fn other_errors_are_no_denials() {
        for error in [
            "Stale Connection",
            "Permissions Violation for Publish to x",
            "",
        ] {
            assert_eq!(Denial::read(error), None, "{error}");
        }
    }
}
