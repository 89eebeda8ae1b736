//! Hosts can get the descriptors of running services.

use e2e::{App, Language, debug_guest, guest};
use parigot_host::deployment::Deployment;
use parigot_host::{Exported, Settings};
use prost::Message;
use prost_types::FileDescriptorSet;

/// Returns the exports of a running guest.
fn exports(wasm: &[u8], descriptors: bool) -> Vec<Exported> {
    // The module in Go has several roles.
    let table = "[service.guest]\nwasm = \"guest.wasm\"\nenv = { ROLE = \"answers\" }\n\
                 budget_max = \"400ms\"\n";
    let app = App::new(table).with("guest.wasm", wasm);
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
    exports
}

/// Returns the export of a running echo service.
fn exported(descriptors: bool) -> Exported {
    let [echo] = exports(&guest("echo"), descriptors)
        .try_into()
        .expect("the guest must export one service");
    echo
}

/// Returns whether the descriptors contain these bytes.
fn contains(export: &Exported, bytes: &[u8]) -> bool {
    let mut windows = export.descriptors.windows(bytes.len());
    windows.any(|window| window == bytes)
}

#[test]
fn a_host_can_get_the_descriptors_of_exports() {
    let echo = exported(true);
    assert_eq!((&*echo.guest, &*echo.service), ("guest", "echo.v1.Echo"));
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

/// The linker keeps the section that generated code writes, and the options in it.
#[test]
fn debug_and_release_builds_have_the_same_descriptors() {
    // The value `MISSING` with `(parigot.v1.error).code = NOT_FOUND`.
    const MISSING: &[u8] = b"\x07MISSING\x10\x01\x1a\x06\xea\xe1\x18\x02\x08\x05";
    let release = guest("answers");
    let builds = [
        release,
        debug_guest("answers"),
        Language::Go.guest("answers"),
    ];
    let [release, debug, go] = builds.map(|wasm| {
        let exports = exports(&wasm, true);
        let [answers] = exports
            .try_into()
            .expect("the guest must export one service");
        answers
    });
    assert!(contains(&release, MISSING), "{:?}", release.descriptors);
    assert_eq!(release.descriptors, debug.descriptors);
    assert_eq!(release.descriptors, go.descriptors);
}

#[test]
fn two_services_of_one_file_have_the_same_descriptors() {
    let exports = exports(&guest("store"), true);
    let names: Vec<_> = exports.iter().map(|export| &*export.service).collect();
    assert_eq!(names, ["load.v1.Store", "load.v1.Shelf"]);
    for export in &exports {
        let set =
            FileDescriptorSet::decode(&*export.descriptors).expect("the descriptors must be valid");
        let services = set.file.iter().flat_map(|file| &file.service);
        let services: Vec<_> = services.map(|service| service.name()).collect();
        assert_eq!(services, ["Work", "Store", "Shelf"], "{}", export.service);
    }
}
