//! Messages of the golden corpus, as protoc-gen-go, prost and the crate `protobuf` write them, read by each other.
//!
//! A program in Go makes the messages, for each type and each of some seeds. prost's generated code reads what Go wrote, the
//! crate `protobuf` what prost wrote, prost again what that wrote; what comes of each step is read by Go, to which equal
//! messages are equal bytes.

mod go;

use interop::corpus::{NOT_IN_PROTOBUF, NOT_TRIED, reason};
use interop::{CASES, Case, Message};

use crate::go::{Module, Peer};

/// How many messages there are of each type. The largest oneof of the corpus has 17 variants, and each has its turn.
const SEEDS: u64 = 40;

/// Only messages of seeds that this divides have negative numbers in packed fields of enums, and the crate `protobuf` is not
/// asked for them: its 3.7 counts five bytes for each in the length that it writes before them, and then writes ten.
const NEGATIVE_PACKED: u64 = 4;

#[test]
fn each_reads_what_the_others_write() {
    for (name, reason) in NOT_TRIED {
        println!("{name} is not tried: {reason}");
    }
    for (name, reason) in NOT_IN_PROTOBUF {
        println!("{name} is not tried with protobuf: {reason}");
    }
    println!(
        "protobuf has no negative numbers in packed fields of enums: it writes a wrong length before them"
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

/// Tries the messages of a case, and returns how many bytes they had in the beginning.
fn check(case: &Case, peer: &mut Peer) -> usize {
    let mut bytes = 0;
    for message in case.messages {
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

/// Has prost read what Go has written, then the `protobuf` of a case what prost has written, and then prost that.
fn go_round(
    message: &Message,
    protobuf: Option<&Case>,
    peer: &mut Peer,
    written: &[u8],
) -> Result<(), String> {
    let mut same = |writer: &str, bytes: &[u8]| match peer.read(message.name, bytes) {
        Ok(read) if read == written => Ok(()),
        Ok(_) => Err(format!(
            "{writer} has written another message\n{writer}: {bytes:02x?}"
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
