//! Users with restricted permissions, and servers with small limits.

use super::*;

/// Permissions that each process needs: see docs/src/processes.md.
const EACH: [&str; 4] = [
    "parigot.shop.inbox.>",
    "parigot.shop.chunks.>",
    "parigot.shop.cancel.>",
    "parigot.shop.schema.>",
];
const QUERY: &str = "parigot.shop.query.greeting.v1.Greeting";
const READY: &str = "parigot.shop.ready.greeting.v1.Greeting";
const CALL: &str = "parigot.shop.call.greeting.v1.Greeting.*";
const TOOLS: &str = "$SRV.>";

/// Subjects to which a user may publish and subscribe.
struct Permissions {
    publish: Vec<&'static str>,
    subscribe: Vec<&'static str>,
}

impl Permissions {
    fn of_each_with(publish: &[&'static str], subscribe: &[&'static str]) -> Self {
        Permissions {
            publish: [&EACH, publish].concat(),
            subscribe: [&EACH, subscribe].concat(),
        }
    }

    fn of_importer() -> Self {
        Self::of_each_with(&[QUERY, CALL], &[READY, TOOLS])
    }

    fn of_exporter() -> Self {
        Self::of_each_with(&[READY], &[QUERY, CALL, TOOLS])
    }

    fn without(mut self, subject: &str) -> Self {
        self.publish.retain(|kept| *kept != subject);
        self.subscribe.retain(|kept| *kept != subject);
        self
    }
}

/// Starts a server with the users `front` and `kitchen`.
fn server(front: &Permissions, kitchen: &Permissions) -> Server {
    let user = |name: &str, Permissions { publish, subscribe }: &Permissions| {
        format!(
            "{{ user: {name}, password: p, permissions: {{ publish: {publish:?}, subscribe: \
             {subscribe:?} }} }}"
        )
    };
    Server::with_config(&format!(
        "authorization {{ users: [ {}, {} ] }}",
        user("front", front),
        user("kitchen", kitchen)
    ))
}

/// Returns the settings of a process that logs in with its own name.
fn identity_of(server: &Server, process: &str) -> ProcessIdentity {
    let mut identity = identity(server, process);
    identity.network.servers = vec![server.with_login(&format!("{process}:p@"))];
    identity
}

fn process(server: &Server, name: &str) -> Process {
    Process::of(identity_of(server, name))
}

#[test]
fn the_documented_permissions_suffice() {
    let server = server(&Permissions::of_importer(), &Permissions::of_exporter());
    let lines = Lines::new();
    let (front, mut events, kitchen, mut gateway) =
        lines.of(|| connect(process(&server, "front"), process(&server, "kitchen")));
    front.call(1, vec![7; 3 << 20]).unwrap();
    let (_, from) = gateway.call();
    kitchen.reply(from, vec![7; 3 << 20]);
    assert_eq!(events.answered().1.payload.len(), 3 << 20);
    front.call(2, "").unwrap();
    gateway.call();
    front.transport.cancel(SERVICE, call_id(2));
    assert!(matches!(gateway.next(), GatewayEvent::Cancel { .. }));
    assert_eq!(
        lines.all(),
        [format!("INFO process kitchen offers {SERVICE}")]
    );
}

#[test]
fn a_missing_permission_of_each_process_fails_the_start() {
    let own = host_of("front");
    let cases = [
        (
            "inbox",
            format!("to subscribe to parigot.shop.inbox.{own}.*"),
        ),
        (
            "chunks",
            format!("to subscribe to parigot.shop.chunks.{own}.*"),
        ),
        (
            "cancel",
            format!("to subscribe to parigot.shop.cancel.{own}"),
        ),
        (
            "schema",
            format!("to subscribe to parigot.shop.schema.{own}"),
        ),
    ];
    for (verb, denied) in cases {
        let pattern = format!("parigot.shop.{verb}.>");
        let front = Permissions::of_importer().without(&pattern);
        let server = server(&front, &Permissions::of_exporter());
        let error = Nats::connect(identity_of(&server, "front"))
            .map(|_| ())
            .expect_err("the start must fail");
        let at = server.with_login("front:p@");
        let text = format!("NATS server {at} denies a permission: {denied}");
        assert_eq!(error.to_string(), text);
        let help = format!("add \"{pattern}\" to `subscribe` in the permissions of this user");
        assert!(help_of(&error).starts_with(&help), "{}", help_of(&error));
    }
}

#[test]
fn a_denied_message_to_itself_fails_the_start() {
    let mut front = Permissions::of_importer();
    front.publish.retain(|subject| *subject != EACH[0]);
    let server = server(&front, &Permissions::of_exporter());
    let error = Nats::connect(identity_of(&server, "front"))
        .map(|_| ())
        .expect_err("the start must fail");
    let help = "add \"parigot.shop.inbox.>\" to `publish` in the permissions of this user";
    assert!(help_of(&error).starts_with(help), "{error}");
}

#[test]
fn a_missing_permission_for_tools_is_a_warning() {
    let front = Permissions::of_importer().without(TOOLS);
    let server = server(&front, &Permissions::of_exporter());
    let lines = Lines::new();
    let _front = lines.of(|| process(&server, "front"));
    lines.wait_for(
        "WARN the NATS server denies a permission: to subscribe to $SRV.*: add \"$SRV.>\" to \
         `subscribe`",
    );
}

#[test]
fn a_denied_search_is_reported_at_once() {
    for (subject, action) in [(QUERY, "publish"), (READY, "subscribe")] {
        let front = Permissions::of_importer().without(subject);
        let server = server(&front, &Permissions::of_exporter());
        let lines = Lines::new();
        let front = lines.of(|| process(&server, "front"));
        let mut events = front.import(SCHEMA, Vec::new());
        let expected = format!(
            "the NATS server denies a permission: to {action} to {subject}: add \"{subject}\" to \
             `{action}` in the permissions of this user in the server's configuration"
        );
        match events.next() {
            RemoteEvent::Undiscoverable { reason } => assert_eq!(reason, expected),
            other => panic!("{other:?}"),
        }
        lines.wait_for(&format!("ERROR {expected}"));
    }
}

#[test]
fn denied_calls_fail_at_once() {
    let front = Permissions::of_importer().without(CALL);
    let server = server(&front, &Permissions::of_exporter());
    let lines = Lines::new();
    let (front, mut events, _kitchen, _gateway) =
        lines.of(|| connect(process(&server, "front"), process(&server, "kitchen")));
    for number in 1..4 {
        front.call(number, "").unwrap();
        let (id, told) = events.failed();
        assert_eq!(id, call_id(number));
        assert_eq!(
            (told.code, told.cause),
            (Code::PermissionDenied, Cause::Unreachable)
        );
        assert!(told.text.contains(&format!("add \"{CALL}\" to `publish`")));
    }
    let errors = lines
        .all()
        .iter()
        .filter(|line| line.starts_with("ERROR "))
        .count();
    assert_eq!(errors, 1, "{:?}", lines.all());
}

#[test]
fn denied_announcements_and_calls_of_an_exporter_are_errors() {
    let permission = |action: &str, subject: &str| {
        format!("ERROR the NATS server denies a permission: to {action} to {subject}")
    };
    let call = format!("parigot.shop.call.{SERVICE}.{SCHEMA:016x}");
    let cases = [
        (READY, permission("publish", READY)),
        (QUERY, permission("subscribe", QUERY)),
        (CALL, permission("subscribe", &call)),
    ];
    for (subject, error) in cases {
        let kitchen = Permissions::of_exporter().without(subject);
        let server = server(&Permissions::of_importer(), &kitchen);
        let lines = Lines::new();
        let kitchen = lines.of(|| process(&server, "kitchen"));
        let _gateway = kitchen.export(SCHEMA, Vec::new());
        lines.wait_for(&error);
    }
}

#[test]
fn a_server_for_small_messages_is_refused() {
    let server = Server::with_config("max_payload: 8191");
    let error = refusal(&server, |_| {});
    let at = server.url();
    assert_eq!(
        error.to_string(),
        format!("NATS server {at} accepts messages of at most 8191 bytes, expected at least 8 KiB")
    );
    assert!(
        help_of(&error).contains("`max_payload` in the configuration of nats-server"),
        "{}",
        help_of(&error)
    );
    check_connects(&Server::with_config("max_payload: 8192"), |_| {});
}
