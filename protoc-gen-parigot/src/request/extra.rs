//! Second view of the bytes of a request.
//!
//! On the wire an extension is a field like any other, and unknown fields are skipped. These
//! messages therefore have only the fields that prost's descriptors lack, and the fields that lead
//! to them.

/// Field number of all extensions in `parigot/v1/options.proto`.
pub(crate) const OPTIONS: i32 = 50717;
/// Field number of `parigot.v1.ServiceOptions.error`.
pub(crate) const ERROR: i32 = 1;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RequestExtra {
    #[prost(message, repeated, tag = "15")]
    pub(crate) proto_file: Vec<FileExtra>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct FileSetExtra {
    #[prost(message, repeated, tag = "1")]
    pub(crate) file: Vec<FileExtra>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct FileExtra {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(message, repeated, tag = "4")]
    pub(crate) message_type: Vec<MessageExtra>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) enum_type: Vec<EnumExtra>,
    #[prost(message, repeated, tag = "6")]
    pub(crate) service: Vec<ServiceExtra>,
    #[prost(message, optional, tag = "8")]
    options: Option<FileOptions>,
    /// Value of the enum `Edition`: 1000 is edition 2023.
    #[prost(int32, tag = "14")]
    pub(crate) edition: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MessageExtra {
    #[prost(message, repeated, tag = "2")]
    pub(crate) field: Vec<FieldExtra>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) nested_type: Vec<MessageExtra>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) enum_type: Vec<EnumExtra>,
    #[prost(message, optional, tag = "7")]
    options: Option<MessageDescriptorOptions>,
    #[prost(message, repeated, tag = "8")]
    pub(crate) oneof_decl: Vec<OneofExtra>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct FieldExtra {
    #[prost(message, optional, tag = "8")]
    options: Option<FieldOptions>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct OneofExtra {
    #[prost(message, optional, tag = "2")]
    options: Option<OneofOptions>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct EnumExtra {
    #[prost(message, repeated, tag = "2")]
    pub(crate) value: Vec<EnumValueExtra>,
    #[prost(message, optional, tag = "3")]
    options: Option<EnumOptions>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct EnumValueExtra {
    #[prost(message, optional, tag = "3")]
    options: Option<EnumValueOptions>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct EnumValueOptions {
    #[prost(message, optional, tag = "50717")]
    parigot: Option<ErrorOptions>,
}

/// `parigot.v1.ErrorOptions`
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct ErrorOptions {
    #[prost(int32, tag = "1")]
    code: i32,
}

impl EnumValueExtra {
    /// Returns the number of the value's code; 0 if it has none.
    pub(crate) fn code(&self) -> i32 {
        let options = self.options.and_then(|options| options.parigot);
        options.map_or(0, |options| options.code)
    }
}

impl FileExtra {
    /// Removes the options of parigot, for a request whose extensions of the same number are
    /// others'.
    pub(crate) fn forget_parigot_options(&mut self) {
        self.service.clear();
        self.enum_type
            .iter_mut()
            .for_each(|item| item.value.clear());
        // Nesting is limited by the decoder, so that the recursion is not deep.
        self.message_type.iter_mut().for_each(forget_in_message);
    }
}

fn forget_in_message(message: &mut MessageExtra) {
    let enums = &mut message.enum_type;
    enums.iter_mut().for_each(|item| item.value.clear());
    message.nested_type.iter_mut().for_each(forget_in_message);
}

/// Features of an edition. Zero means that the feature is not set here.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Features {
    #[prost(int32, tag = "1")]
    pub(crate) field_presence: i32,
    #[prost(int32, tag = "2")]
    pub(crate) enum_type: i32,
    #[prost(int32, tag = "3")]
    pub(crate) repeated_field_encoding: i32,
    #[prost(int32, tag = "5")]
    pub(crate) message_encoding: i32,
}

/// Defines options that contain features, each under its own field number.
macro_rules! options_with_features {
    ($($options:ident of $owner:ident at $number:literal;)*) => {$(
        #[derive(Clone, Copy, PartialEq, prost::Message)]
        struct $options {
            #[prost(message, optional, tag = $number)]
            features: Option<Features>,
        }

        impl $owner {
            /// Returns the features that are set here.
            pub(crate) fn features(&self) -> Features {
                self.options.and_then(|options| options.features).unwrap_or_default()
            }
        }
    )*};
}

options_with_features! {
    FileOptions of FileExtra at "50";
    MessageDescriptorOptions of MessageExtra at "12";
    FieldOptions of FieldExtra at "21";
    OneofOptions of OneofExtra at "1";
    EnumOptions of EnumExtra at "7";
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ServiceExtra {
    #[prost(message, repeated, tag = "2")]
    pub(crate) method: Vec<MethodExtra>,
    #[prost(message, optional, tag = "3")]
    options: Option<ServiceDescriptorOptions>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ServiceDescriptorOptions {
    #[prost(message, optional, tag = "50717")]
    parigot: Option<ServiceOptions>,
}

/// `parigot.v1.ServiceOptions`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ServiceOptions {
    #[prost(string, tag = "1")]
    pub(crate) error: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MethodExtra {
    #[prost(message, optional, tag = "4")]
    options: Option<MethodDescriptorOptions>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct MethodDescriptorOptions {
    #[prost(message, optional, tag = "50717")]
    parigot: Option<MethodOptions>,
}

/// `parigot.v1.MethodOptions`
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct MethodOptions {
    #[prost(uint32, tag = "1")]
    pub(crate) budget_ms: u32,
    #[prost(uint32, tag = "2")]
    pub(crate) deadline_ms: u32,
}

impl ServiceExtra {
    /// Returns the options of the service.
    pub(crate) fn options(&self) -> ServiceOptions {
        self.options
            .clone()
            .and_then(|options| options.parigot)
            .unwrap_or_default()
    }
}

impl MethodExtra {
    /// Returns the options of the method.
    pub(crate) fn options(&self) -> MethodOptions {
        self.options
            .clone()
            .and_then(|options| options.parigot)
            .unwrap_or_default()
    }
}
