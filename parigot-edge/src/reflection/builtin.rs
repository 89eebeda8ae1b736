//! Descriptors of the services of the edge itself.

use parigot_host::Exported;
use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto,
};

use crate::health;

/// Returns the health service as if a guest exported it.
pub(crate) fn exported() -> Exported {
    let set = FileDescriptorSet {
        file: vec![health_file()],
    };
    Exported::new("edge", health::SERVICE, set.encode_to_vec())
}

fn health_file() -> FileDescriptorProto {
    let service = FieldDescriptorProto {
        r#type: Some(Type::String.into()),
        ..field("service")
    };
    let status = FieldDescriptorProto {
        r#type: Some(Type::Enum.into()),
        type_name: Some(format!(".{}.ServingStatus", health::RESPONSE)),
        ..field("status")
    };
    let names = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
    let values = names
        .iter()
        .zip(0..)
        .map(|(name, number)| EnumValueDescriptorProto {
            name: Some((*name).to_owned()),
            number: Some(number),
            options: None,
        });
    let statuses = EnumDescriptorProto {
        name: Some("ServingStatus".into()),
        value: values.collect(),
        ..EnumDescriptorProto::default()
    };
    let response = DescriptorProto {
        enum_type: vec![statuses],
        ..message("HealthCheckResponse", status)
    };
    let methods = vec![method("Check", false), method("Watch", true)];
    FileDescriptorProto {
        name: Some("grpc/health/v1/health.proto".into()),
        package: Some("grpc.health.v1".into()),
        message_type: vec![message("HealthCheckRequest", service), response],
        service: vec![ServiceDescriptorProto {
            name: Some("Health".into()),
            method: methods,
            options: None,
        }],
        syntax: Some("proto3".into()),
        ..FileDescriptorProto::default()
    }
}

fn field(name: &str) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(1),
        label: Some(Label::Optional.into()),
        ..FieldDescriptorProto::default()
    }
}

fn message(name: &str, field: FieldDescriptorProto) -> DescriptorProto {
    DescriptorProto {
        name: Some(name.to_owned()),
        field: vec![field],
        ..DescriptorProto::default()
    }
}

fn method(name: &str, streams: bool) -> MethodDescriptorProto {
    MethodDescriptorProto {
        name: Some(name.to_owned()),
        input_type: Some(format!(".{}", health::REQUEST)),
        output_type: Some(format!(".{}", health::RESPONSE)),
        server_streaming: Some(streams),
        ..MethodDescriptorProto::default()
    }
}
