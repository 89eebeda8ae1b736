//! Field numbers of descriptor.proto, of which the path to a declaration is made.

pub(super) const PACKAGE: i32 = 2;
pub(super) const MESSAGE_TYPE: i32 = 4;
pub(super) const ENUM_TYPE: i32 = 5;
pub(super) const SERVICE: i32 = 6;
pub(super) const SYNTAX: i32 = 12;

pub(super) const FIELD: i32 = 2;
pub(super) const NESTED_TYPE: i32 = 3;
pub(super) const MESSAGE_ENUM: i32 = 4;
pub(super) const MESSAGE_ONEOF: i32 = 8;
pub(super) const ENUM_VALUE: i32 = 2;

pub(super) const METHOD: i32 = 2;
pub(super) const SERVICE_OPTIONS: i32 = 3;
