//! Answers to the NATS tools.

use serde_json::Value;

use super::*;

#[test]
fn the_micro_protocol_is_answered_as_specified() {
    let server = Server::start();
    let (front, mut events, kitchen, mut gateway) = connected_pair(&server);
    front.call(1, "").unwrap();
    kitchen.reply(gateway.call().1, "");
    events.answered();
    let client = RawClient::on(&server);
    let ask = |subject: &str| -> Value {
        serde_json::from_slice(&client.request(subject, "").payload).unwrap()
    };
    let id = kitchen.host.to_string();
    let name = "greeting_v1_Greeting";

    let ping = ask("$SRV.PING");
    assert_eq!(ping["type"], "io.nats.micro.v1.ping_response");
    assert_eq!(
        (&ping["name"], &ping["id"]),
        (&name.into(), &Value::from(&*id))
    );
    assert_eq!(ping["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(ping["metadata"]["service"], SERVICE);
    assert_eq!(ping["metadata"]["process"], "kitchen");
    assert_eq!(ask(&format!("$SRV.PING.{name}")), ping);
    assert_eq!(ask(&format!("$SRV.PING.{name}.{id}")), ping);

    let info = ask(&format!("$SRV.INFO.{name}"));
    assert_eq!(info["type"], "io.nats.micro.v1.info_response");
    assert!(info["description"].is_string());
    let endpoint = &info["endpoints"][0];
    assert_eq!(endpoint["subject"], Subjects::of(APP).call(SERVICE, SCHEMA));
    assert_eq!(endpoint["queue_group"], SERVICE);
    assert_eq!(endpoint["metadata"]["methods"], "FetchGreeting");

    let stats = ask(&format!("$SRV.STATS.{name}.{id}"));
    assert_eq!(stats["type"], "io.nats.micro.v1.stats_response");
    let endpoint = &stats["endpoints"][0];
    assert_eq!(
        (&endpoint["num_requests"], &endpoint["num_errors"]),
        (&1.into(), &0.into())
    );
    assert_eq!(
        endpoint["processing_time"],
        endpoint["average_processing_time"]
    );
    async_nats::datetime::parse_rfc3339(stats["started"].as_str().unwrap()).unwrap();

    // Others answer for themselves: the client of NATS reads it as what it would have said itself.
    serde_json::from_value::<async_nats::service::Info>(info).unwrap();
    serde_json::from_value::<async_nats::service::Stats>(stats).unwrap();
}
