//! Files of a guest's descriptors, each once.

use std::collections::{HashMap, HashSet};

use prost::{DecodeError, Message};
use prost_types::FileDescriptorProto;

/// Files that the guests' descriptors never contain: all hosts and clients know them.
const WELL_KNOWN: &str = "google.protobuf.";

/// A `FileDescriptorSet` whose files stay encoded: prost drops custom options when it decodes them.
#[derive(Clone, PartialEq, Message)]
struct EncodedSet {
    #[prost(bytes = "vec", repeated, tag = "1")]
    files: Vec<Vec<u8>>,
}

/// Descriptors of a guest: files, each name once.
pub(crate) struct Pool {
    files: Vec<PoolFile>,
}

struct PoolFile {
    descriptor: FileDescriptorProto,
    /// Encoded file, with custom options.
    bytes: Vec<u8>,
}

impl Pool {
    /// Reads a `FileDescriptorSet`. Of several files with one name, the first counts: a guest that
    /// is linked from several crates lists the shared files several times.
    ///
    /// # Errors
    ///
    /// If the bytes are not a `FileDescriptorSet`.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        let EncodedSet { files } = EncodedSet::decode(bytes)?;
        let mut names = HashSet::new();
        let mut pool = Pool { files: Vec::new() };
        for bytes in files {
            let descriptor = FileDescriptorProto::decode(&bytes[..])?;
            if names.insert(descriptor.name().to_owned()) {
                pool.files.push(PoolFile { descriptor, bytes });
            }
        }
        Ok(pool)
    }

    /// Returns the files, in the order of the set.
    pub(crate) fn files(&self) -> impl Iterator<Item = &FileDescriptorProto> {
        self.files.iter().map(|file| &file.descriptor)
    }

    /// Returns an encoded file; empty if the pool has no file of that name.
    #[cfg(feature = "json")]
    pub(crate) fn bytes_of(&self, name: &str) -> &[u8] {
        let mut files = self.files.iter();
        let file = files.find(|file| file.descriptor.name() == name);
        file.map_or(&[], |file| &file.bytes)
    }

    /// Returns the file that defines a service and all files that this file imports, directly or
    /// indirectly, as a `FileDescriptorSet`. Empty if no file defines the service.
    pub(crate) fn of_service(&self, service: &str) -> Vec<u8> {
        let by_name: HashMap<&str, usize> = self
            .files()
            .enumerate()
            .map(|(index, file)| (file.name(), index))
            .collect();
        let mut pending: Vec<usize> = self
            .files()
            .position(|file| defines(file, service))
            .into_iter()
            .collect();
        let mut needed = HashSet::new();
        while let Some(index) = pending.pop() {
            if needed.insert(index) {
                let imports = self.files[index].descriptor.dependency.iter();
                pending.extend(imports.filter_map(|name| by_name.get(&**name)));
            }
        }
        let files = self.files.iter().enumerate();
        let files = files.filter(|(index, _)| needed.contains(index));
        let set = EncodedSet {
            files: files.map(|(_, file)| file.bytes.clone()).collect(),
        };
        set.encode_to_vec()
    }
}

/// Returns the descriptors of one service among the descriptors of a guest; empty if the guest has
/// none, or if they are invalid.
pub(crate) fn of_service(descriptors: &[u8], service: &str) -> Vec<u8> {
    Pool::read(descriptors).map_or_else(|_| Vec::new(), |pool| pool.of_service(service))
}

/// Returns true for a message of `google/protobuf/*`, whose files the descriptors omit.
pub(crate) fn is_well_known(message: &str) -> bool {
    message.starts_with(WELL_KNOWN)
}

/// Returns whether a file defines a service, which is given by its full name.
fn defines(file: &FileDescriptorProto, service: &str) -> bool {
    let package = file.package();
    file.service.iter().any(|defined| {
        let name = defined.name();
        if package.is_empty() {
            name == service
        } else {
            service
                .strip_prefix(package)
                .and_then(|rest| rest.strip_prefix('.'))
                == Some(name)
        }
    })
}

/// Escapes names from descriptors. Names in protobuf are ASCII; other characters could forge text
/// in messages.
pub(crate) fn harmless(text: &str) -> String {
    text.replace(|c: char| !c.is_ascii_graphic() && c != ' ', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use prost_types::{FileDescriptorSet, ServiceDescriptorProto};

    use super::*;

    fn file(name: &str, imports: &[&str], service: Option<&str>) -> FileDescriptorProto {
        FileDescriptorProto {
            name: Some(name.to_owned()),
            package: Some("shop.v1".to_owned()),
            dependency: imports.iter().map(|name| (*name).to_owned()).collect(),
            service: service
                .into_iter()
                .map(|name| ServiceDescriptorProto {
                    name: Some(name.to_owned()),
                    ..ServiceDescriptorProto::default()
                })
                .collect(),
            ..FileDescriptorProto::default()
        }
    }

    fn set(files: &[FileDescriptorProto]) -> Vec<u8> {
        FileDescriptorSet {
            file: files.to_vec(),
        }
        .encode_to_vec()
    }

    #[test]
    fn the_first_file_of_a_name_counts() {
        let first = set(&[file("shop.proto", &[], Some("Shop"))]);
        let second = set(&[
            file("shop.proto", &[], None),
            file("stock.proto", &[], Some("Stock")),
        ]);
        let pool = Pool::read(&[first, second].concat()).expect("the set must be valid");
        let names: Vec<_> = pool.files().map(|file| file.name()).collect();
        assert_eq!(names, ["shop.proto", "stock.proto"]);
        assert!(!pool.of_service("shop.v1.Shop").is_empty());
    }

    #[test]
    fn a_service_has_its_file_and_the_imports() {
        let money = file("money.proto", &["google/protobuf/any.proto"], None);
        let price = file("price.proto", &["money.proto"], None);
        let shop = file("shop.proto", &["price.proto"], Some("Shop"));
        let stock = file("stock.proto", &[], Some("Stock"));
        let all = set(&[money.clone(), price.clone(), stock, shop.clone()]);
        assert_eq!(of_service(&all, "shop.v1.Shop"), set(&[money, price, shop]));
        assert_eq!(of_service(&all, "shop.v2.Shop"), b"");
        assert_eq!(of_service(b"\xff", "shop.v1.Shop"), b"");
    }
}
