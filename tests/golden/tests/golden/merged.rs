//! `module_clash=merge`: a package and a message that are one module.

use golden::merged_modules::merged::Cluster;
use golden::merged_modules::merged::cluster::host::v1::Deep;
use golden::merged_modules::merged::cluster::host::{Address, Port};
use golden::merged_modules::merged::cluster::{Host, Kind, Node, NodesClient};
use golden::merged_modules::merged_user::User;

#[test]
fn a_package_and_a_message_share_a_module() {
    let host = Host {
        address: Some(Address::Port(Port { number: 80 })),
    };
    let node = Node {
        host: Some(host.clone()),
        kind: Kind::Large.into(),
    };
    let deep = Deep {
        port: Some(Port { number: 80 }),
        node: Some(node.clone()),
        of: None,
    };
    let user = User {
        node: Some(node),
        deep: Some(deep),
    };
    let cluster = Cluster {
        kind: Kind::Large.into(),
        hosts: vec![host],
    };
    assert_eq!(
        user.node.and_then(|node| node.host),
        Some(cluster.hosts[0].clone())
    );
    assert!(std::any::type_name::<NodesClient>().contains("merged::cluster::NodesClient"));
}
