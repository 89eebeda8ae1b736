//! Hosts can get the descriptors of running services.

use e2e::{App, guest};
use parigot_host::deployment::Deployment;
use parigot_host::{Exported, Settings};
use prost::Message;
use prost_types::FileDescriptorSet;

/// Returns the export of a running echo service.
fn exported(descriptors: bool) -> Exported {
    let app = App::new("[service.echo]\nwasm = \"echo.wasm\"\n").with("echo.wasm", guest("echo"));
    let deployment = Deployment::read(&app.file()).expect("the deployment file must be valid");
    let running = parigot_host::start(
        &deployment,
        Settings {
            descriptors,
            ..Settings::default()
        },
    )
    .expect("the deployment must start");
    let exports = running.exports().to_vec();
    running.stopper().stop();
    assert_eq!(running.wait().status, 0);
    let [echo] = exports
        .try_into()
        .expect("the guest must export one service");
    echo
}

#[test]
fn a_host_can_get_the_descriptors_of_exports() {
    let echo = exported(true);
    assert_eq!((&*echo.guest, &*echo.service), ("echo", "echo.v1.Echo"));
    let files = FileDescriptorSet::decode(&*echo.descriptors)
        .expect("the descriptors must be valid")
        .file;
    let names: Vec<_> = files.iter().map(|file| file.name()).collect();
    assert_eq!(names, ["parigot/v1/options.proto", "echo/v1/echo.proto"]);
    let file = &files[1];
    let methods: Vec<_> = file.service[0]
        .method
        .iter()
        .map(|method| (method.name(), method.input_type()))
        .collect();
    let expected = [
        ("Echo", ".echo.v1.Payload"),
        ("Misbehave", ".echo.v1.Deed"),
        ("Persist", ".echo.v1.Deed"),
    ];
    assert_eq!(methods, expected);
}

#[test]
fn descriptors_are_off_by_default() {
    assert!(exported(false).descriptors.is_empty());
}
