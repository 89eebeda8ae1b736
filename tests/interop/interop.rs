//! Messages of the golden corpus, written by protoc-gen-go, prost and the crate `protobuf`, and
//! read by each other.
//!
//! A Go program makes the messages, for each type and several seeds. Generated prost code reads the
//! bytes of Go, the crate `protobuf` reads the bytes of prost, and prost reads the bytes of
//! `protobuf`. Go reads the result of each step; in Go equal messages have equal bytes.

mod go;

use interop::corpus::{NOT_IN_PROTOBUF, NOT_TRIED, reason};
use interop::{CASES, Case, Message};

use crate::go::{Module, Peer};

/// Number of messages of each type. The largest oneof of the corpus has 17 variants, and each
/// variant is used.
const SEEDS: u64 = 40;

/// Only messages whose seed is a multiple of this number have negative numbers in packed enum
/// fields. The crate `protobuf` is not tested with these: version 3.7 counts five bytes for each
/// number in the length prefix, and then writes ten.
const NEGATIVE_PACKED: u64 = 4;

#[test]
fn implementations_read_each_other() {
    for (name, reason) in NOT_TRIED {
        println!("{name} is not tested: {reason}");
    }
    for (name, reason) in NOT_IN_PROTOBUF {
        println!("{name} is not tested with protobuf: {reason}");
    }
    println!(
        "protobuf is not tested with negative numbers in packed enum fields: it writes a wrong \
         length"
    );
    let module = Module::build(CASES);
    let bytes: usize = CASES
        .iter()
        .map(|case| check(case, &mut module.peer(case)))
        .sum();
    let types: usize = CASES.iter().map(|case| case.messages.len()).sum();
    println!(
        "{types} types of {} cases, {SEEDS} messages of each, {bytes} bytes",
        CASES.len()
    );
}

/// Tests the messages of a case. Returns the number of bytes that Go has written.
fn check(case: &Case, peer: &mut Peer) -> usize {
    let mut bytes = 0;
    let is_tried = |message: &&Message| reason(NOT_TRIED, message.name).is_none();
    for message in case.messages.iter().filter(is_tried) {
        for seed in 0..SEEDS {
            let written = peer.fill(message.name, seed);
            let carried = !seed.is_multiple_of(NEGATIVE_PACKED) && in_protobuf(case, message);
            if let Err(error) = go_round(message, carried.then_some(case), peer, &written) {
                panic!(
                    "{}, {}, seed {seed}: {error}\nGo: {written:02x?}",
                    case.name, message.name
                );
            }
            bytes += written.len();
        }
    }
    bytes
}

fn in_protobuf(case: &Case, message: &Message) -> bool {
    [case.name, message.name]
        .iter()
        .all(|name| reason(NOT_IN_PROTOBUF, name).is_none())
}

/// Passes the bytes of Go through prost, the crate `protobuf` (if it supports the case), and prost
/// again.
fn go_round(
    message: &Message,
    protobuf: Option<&Case>,
    peer: &mut Peer,
    written: &[u8],
) -> Result<(), String> {
    let mut same = |writer: &str, bytes: &[u8]| match peer.read(message.name, bytes) {
        Ok(read) if read == written => Ok(()),
        Ok(_) => Err(format!(
            "{writer} has written a different message\n{writer}: {bytes:02x?}"
        )),
        Err(error) => Err(format!(
            "Go cannot read what {writer} has written: {error}\n{writer}: {bytes:02x?}"
        )),
    };
    let prost = |bytes: &[u8]| (message.prost)(bytes).map_err(|error| format!("prost: {error}"));
    let by_prost = prost(written)?;
    same("prost", &by_prost)?;
    let Some(case) = protobuf else { return Ok(()) };
    let by_protobuf = case
        .through_protobuf(message.name, &by_prost)
        .map_err(|error| format!("protobuf: {error}"))?;
    same("protobuf", &by_protobuf)?;
    same("prost after protobuf", &prost(&by_protobuf)?)
}
