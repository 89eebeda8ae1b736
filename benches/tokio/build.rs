//! Generates tonic's client and server, as from a `.proto`. The message is in `src/call.rs`.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let echo = Method::builder()
        .name("echo")
        .route_name("Echo")
        .input_type("crate::call::Payload")
        .output_type("crate::call::Payload")
        .codec_path("tonic_prost::ProstCodec")
        .build();
    Builder::new().compile(&[Service::builder()
        .package("echo.v1")
        .name("Echo")
        .method(echo)
        .build()]);
}
