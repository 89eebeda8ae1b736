//! Passes random and mutated bytes to every reader. No reader panics, and everything that was read
//! can be written again.
//!
//! `cargo test` runs for two seconds, always from the same seed. `PARIGOT_SOAK_SECONDS=600` runs
//! for 600 seconds, from a new seed. A failure prints its seed, and `PARIGOT_FUZZ_SEED=<seed>`
//! repeats this input.

use std::time::{Duration, Instant, SystemTime};

use parigot_abi::frame::flags;
use parigot_abi::id::{CallId, ServiceId};
use parigot_abi::manifest::{Method, MethodFlags, Requirement, Service};
use parigot_abi::status::Detail;
use parigot_abi::{
    Cause, ErrorDetail, FrameBuilder, Frames, Header, Kind, Manifest, Start, Version,
};

use crate::readers::read_all;

#[test]
fn no_input_panics() {
    let setting = |name: &str| {
        std::env::var(name)
            .ok()
            .map(|value| value.parse::<u64>().expect(name))
    };
    if let Some(seed) = setting("PARIGOT_FUZZ_SEED") {
        return try_one(seed);
    }
    let soak_seconds = setting("PARIGOT_SOAK_SECONDS");
    let first_seed = soak_seconds.map_or(0, |_| {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("the clock must be after 1970")
            .as_nanos() as u64
    });
    let duration = Duration::from_secs(soak_seconds.unwrap_or(2));
    let start = Instant::now();
    let mut tries = 0;
    while start.elapsed() < duration {
        for _ in 0..100 {
            try_one(first_seed.wrapping_add(tries));
            tries += 1;
        }
    }
    println!("{tries} inputs from seed {first_seed}");
}

/// Prints the seed if the test panics.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to repeat this input: PARIGOT_FUZZ_SEED={}", self.0);
        }
    }
}

fn try_one(seed: u64) {
    let _seed = Seed(seed);
    let mut random = Random(seed);
    let mut bytes = match random.below(5) {
        0 => random.bytes(200),
        1 => manifest_bytes(&mut random),
        2 => start_bytes(&mut random),
        3 => detail_bytes(&mut random),
        _ => frames_bytes(&mut random),
    };
    read_all(&bytes);
    for _ in 0..random.below(5) {
        mutate(&mut bytes, &mut random);
        read_all(&bytes);
    }
    read_ids(&mut random);
}

fn read_ids(random: &mut Random) {
    let id = ServiceId::from_random(u128::from(random.next()) << 64 | u128::from(random.next()));
    let mut text = id.to_string().into_bytes();
    assert_eq!(id.to_string().parse(), Ok(id));
    for _ in 0..random.below(4) {
        mutate(&mut text, random);
    }
    let text = String::from_utf8_lossy(&text);
    if let Ok(id) = text.parse::<ServiceId>() {
        assert_eq!(id.to_string(), text, "an id must have one text form");
    }
    assert!(text.parse::<CallId>().is_err());
    let high = random.number();
    let low = random.number();
    if let Ok(id) = ServiceId::from_wire(high, low) {
        assert!(id.to_wire() == (high, low) || id.is_empty());
    }
}

/// Returns well-formed frames of any kind, with any parts.
fn frames_bytes(random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..random.below(4) {
        let header = Header {
            kind: random.number() as u16,
            flags: random.next() as u16 & flags::KNOWN,
            number: random.number(),
            service: random.number() as u32,
            method: random.number() as u32,
            status: random.number() as u32,
            deadline_ns: random.number(),
            id: (random.number(), random.number()),
        };
        let mut frame = FrameBuilder::new(&mut out, header);
        for _ in 0..random.below(3) {
            frame = frame.metadata(&random.text(), &random.text());
        }
        if random.below(2) == 0 {
            frame = frame.detail_bytes(&detail_bytes(random));
        }
        frame.payload(&random.bytes(40)).finish().unwrap();
    }
    out
}

/// Returns a well-formed detail, seldom one that is too long.
fn detail_bytes(random: &mut Random) -> Vec<u8> {
    let text = match random.below(20) {
        0 => "é".repeat(random.below(5000)),
        _ => random.text(),
    };
    let entries: Vec<_> = (0..random.below(3))
        .map(|_| {
            let length_max = if random.below(20) == 0 { 9000 } else { 12 };
            (random.text(), random.bytes(length_max))
        })
        .collect();
    let detail = Detail {
        instance: (random.number(), 7),
        details: entries
            .iter()
            .map(|(name, value)| ErrorDetail {
                type_name: name.into(),
                value,
            })
            .collect(),
        ..Detail::new(Cause::TimedOut, &text)
    };
    let mut out = Vec::new();
    detail.write(&mut out);
    out
}

fn start_bytes(random: &mut Random) -> Vec<u8> {
    let texts: Vec<String> = (0..6).map(|_| random.text()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let values: Vec<Vec<u8>> = (0..random.below(3)).map(|_| random.bytes(9)).collect();
    let start = Start {
        host: Version::from_packed(random.number() as u32),
        message_bytes_max: random.number() as u32,
        seed: core::array::from_fn(|_| random.next() as u8),
        instance: (random.number(), random.number()),
        descriptors: random.below(2) == 0,
        settings: values
            .iter()
            .map(|value| (random.number() as u16, &value[..]))
            .collect(),
        args: texts[..random.below(3)].to_vec(),
        env: texts[2..]
            .chunks(2)
            .take(random.below(3))
            .map(|pair| (pair[0], pair[1]))
            .collect(),
    };
    let mut out = Vec::new();
    start.write(&mut out).unwrap();
    let frame = Frames::new(&out).next().unwrap().unwrap();
    assert_eq!(frame.kind(), Some(Kind::Start));
    assert_eq!(Start::read(&frame), Ok(start));
    out
}

fn manifest_bytes(random: &mut Random) -> Vec<u8> {
    fn services(random: &mut Random) -> Vec<Service> {
        let method = |random: &mut Random| Method {
            name: random.text(),
            budget_ns: random.number(),
            deadline_ns: random.number(),
            flags: MethodFlags(random.number() as u32),
        };
        let service = |random: &mut Random| Service {
            name: random.text(),
            schema: random.number(),
            methods: (0..random.below(3)).map(|_| method(random)).collect(),
        };
        (0..random.below(3)).map(|_| service(random)).collect()
    }
    let manifest = Manifest {
        exports: services(random),
        requires: services(random)
            .into_iter()
            .map(|service| Requirement {
                service,
                binding: random.text(),
            })
            .collect(),
        descriptors: random.bytes(10),
    };
    let mut out = Vec::new();
    manifest.write(&mut out);
    assert_eq!(Manifest::read(&out), Ok(manifest));
    out
}

/// Mutates the bytes, mostly by a small change.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    match random.below(6) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, random.next() as u8),
        2 => {
            let some = random.bytes(16);
            bytes.splice(at..at, some);
        }
        3 => {
            let end = at + random.below(bytes.len() - at + 1);
            bytes.drain(at..end);
        }
        4 => {
            // Aligned to 4, so that the number often replaces a whole field.
            let start = at / 4 * 4;
            let number = (random.number() as u32).to_le_bytes();
            if let Some(field) = bytes.get_mut(start..start + 4) {
                field.copy_from_slice(&number);
            }
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}

/// SplitMix64: a seed must give the same numbers on every platform.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Returns a number, often a boundary value.
    fn number(&mut self) -> u64 {
        match self.below(4) {
            0 => self.below(80) as u64,
            1 => u64::MAX - self.below(80) as u64,
            2 => (1_u64 << self.below(64)).wrapping_sub(self.below(2) as u64),
            _ => self.next(),
        }
    }

    fn bytes(&mut self, length_max: usize) -> Vec<u8> {
        (0..self.below(length_max + 1))
            .map(|_| self.next() as u8)
            .collect()
    }

    fn text(&mut self) -> String {
        (0..self.below(6))
            .map(|_| char::from_u32(self.number() as u32 & 0x1_ffff).unwrap_or('a'))
            .collect()
    }
}
