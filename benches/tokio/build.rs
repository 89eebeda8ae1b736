//! Has tonic write its client and server, as it would from a `.proto`; the message stands in `src/main.rs`.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let echo = Method::builder()
        .name("echo")
        .route_name("Echo")
        .input_type("crate::Payload")
        .output_type("crate::Payload")
        .codec_path("tonic_prost::ProstCodec")
        .build();
    Builder::new().compile(&[Service::builder()
        .package("echo.v1")
        .name("Echo")
        .method(echo)
        .build()]);
}
