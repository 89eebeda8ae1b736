//! The contract of `parigot.kv.v1.Kv`: one list of cases, for the engine and for the fake of tests.

use parigot_abi::{Frame, FrameBuilder, Frames, Header, Kind};
use parigot_guest::kv::v1::{
    BatchOp, BatchRequest, BatchResponse, Check, Conflict, ScanRequest, ScanResponse, batch_op,
};
use parigot_guest::prost::Message;
use parigot_guest::testing::{CallReply, FakeKv, FakeOutcome};

use super::*;

/// A store under test.
trait Store {
    /// Calls a method with an encoded request, and returns the reply.
    fn reply(&self, method: u32, request: Vec<u8>) -> CallReply;

    /// Advances the clock of the store.
    fn advance(&self, by: Duration);
}

impl Store for TestStore {
    fn reply(&self, method: u32, request: Vec<u8>) -> CallReply {
        self.caller.reply(method, request)
    }

    fn advance(&self, by: Duration) {
        let by_ns = by.as_nanos() as u64;
        self.clock.0.fetch_add(by_ns, Ordering::SeqCst);
    }
}

/// The fake, and its time.
struct FakeStore(FakeKv, AtomicU64);

impl Store for FakeStore {
    fn reply(&self, method: u32, request: Vec<u8>) -> CallReply {
        let mut bytes = Vec::new();
        let call = FrameBuilder::new(&mut bytes, Header::new(Kind::Call)).payload(&request);
        call.finish().expect("the request must be short");
        let call: Frame<'_> = Frames::new(&bytes)
            .next()
            .expect("there is one frame")
            .expect("the frame is valid");
        let FakeStore(fake, now_ns) = self;
        fake.fake().set_now_ns(now_ns.load(Ordering::SeqCst));
        let mut frame = Vec::new();
        let header = Header::new(Kind::Reply);
        match fake.fake().serve(&kv::SERVICE, method, &call).outcome {
            FakeOutcome::Response(payload) => {
                let builder = FrameBuilder::new(&mut frame, header);
                builder.payload(&payload).finish()
            }
            FakeOutcome::Failure {
                flags,
                status,
                detail,
            } => {
                let header = Header {
                    flags,
                    status,
                    ..header
                };
                let builder = FrameBuilder::new(&mut frame, header);
                builder.detail_bytes(&detail).finish()
            }
            other => panic!("{other:?}"),
        }
        .expect("the answer must be short");
        CallReply {
            frame,
            ..CallReply::default()
        }
    }

    fn advance(&self, by: Duration) {
        self.1.fetch_add(by.as_nanos() as u64, Ordering::SeqCst);
    }
}

impl dyn Store + '_ {
    fn call<M: Method<Error = KvErr>>(&self, request: M::Request) -> Outcome<M> {
        let reply = self.reply(M::INDEX, request.encode_to_vec());
        reply.outcome::<M>().expect("the call must have ended")
    }

    fn get(&self, key: &str) -> Outcome<kv::Get> {
        self.call::<kv::Get>(GetRequest { key: key.into() })
    }

    /// Returns the value of a key.
    #[track_caller]
    fn value(&self, key: &str) -> Option<Vec<u8>> {
        let got = self.get(key).expect("the key is valid");
        got.entry.map(|entry| entry.value)
    }

    /// Writes an entry, and returns its revision.
    #[track_caller]
    fn set(&self, key: &str, value: &str) -> u64 {
        let set = self.call::<kv::Set>(set(key, value));
        set.expect("an unconditional write must succeed").revision
    }

    fn delete(&self, key: &str, if_revision: Option<u64>) -> Outcome<kv::Delete> {
        self.call::<kv::Delete>(DeleteRequest {
            key: key.into(),
            if_revision,
        })
    }

    fn batch(&self, ops: Vec<batch_op::Op>) -> Outcome<kv::Batch> {
        let ops = ops.into_iter().map(|op| BatchOp { op: Some(op) });
        self.call::<kv::Batch>(BatchRequest { ops: ops.collect() })
    }

    #[track_caller]
    fn scan(&self, request: ScanRequest) -> (Vec<String>, Vec<u8>) {
        let ScanResponse {
            entries,
            next_page_token,
        } = self
            .call::<kv::Scan>(request)
            .expect("the request is valid");
        let keys = entries.into_iter().map(|entry| entry.key);
        (keys.collect(), next_page_token)
    }
}

fn set(key: &str, value: &str) -> SetRequest {
    SetRequest {
        key: key.into(),
        value: value.into(),
        ..SetRequest::default()
    }
}

fn set_if(key: &str, value: &str, revision: u64) -> SetRequest {
    SetRequest {
        if_revision: Some(revision),
        ..set(key, value)
    }
}

fn set_for(key: &str, ttl_s: u32) -> SetRequest {
    SetRequest {
        ttl_s,
        ..set(key, "x")
    }
}

fn check(key: &str, revision: u64) -> batch_op::Op {
    batch_op::Op::Check(Check {
        key: key.into(),
        revision,
    })
}

fn delete(key: &str) -> batch_op::Op {
    batch_op::Op::Delete(DeleteRequest {
        key: key.into(),
        if_revision: None,
    })
}

/// Returns the conflict of a call that failed with `REVISION_MISMATCH`: the index of its operation,
/// the key and the present revision.
#[track_caller]
fn conflict<T: std::fmt::Debug>(outcome: Result<T, CallError<KvErr>>) -> (u32, String, u64) {
    let failed = outcome.expect_err("the condition must not be met");
    assert_eq!(failed.service_error(), Some(&KvErr::RevisionMismatch));
    let mut conflicts = failed.details::<Conflict>();
    let Conflict { op, key, revision } = conflicts.pop().expect("the error must have a detail");
    (op, key, revision)
}

type Case = (&'static str, fn(&dyn Store));

const CASES: &[Case] = &[
    ("an absent key is no error", |store| {
        assert_eq!(store.value("a"), None);
        let deleted = store.delete("a", None).expect("the key is valid");
        assert!(!deleted.existed);
    }),
    ("a caller reads its own write", |store| {
        let revision = store.set("a", "1");
        let entry = store.get("a").expect("the key is valid").entry;
        let entry = entry.expect("the entry must exist");
        assert_eq!((entry.value, entry.revision), (b"1".to_vec(), revision));
        assert_eq!((entry.key.as_str(), entry.expires_ms), ("a", 0));
        assert!(entry.modified_ms > 900_000_000_000, "{}", entry.modified_ms);
    }),
    ("revisions grow, also over deletions", |store| {
        let first = store.set("a", "1");
        let second = store.set("b", "1");
        assert!(second > first);
        assert!(store.delete("b", None).expect("the key is valid").existed);
        assert!(store.set("b", "1") > second + 1);
    }),
    ("a write with the right revision succeeds", |store| {
        let first = store.call::<kv::Set>(set_if("a", "1", 0));
        let first = first.expect("the key has no entry").revision;
        let second = store.call::<kv::Set>(set_if("a", "2", first));
        assert!(second.expect("the revision is right").revision > first);
    }),
    ("a write with a wrong revision changes nothing", |store| {
        let first = store.set("a", "1");
        let outcome = store.call::<kv::Set>(set_if("a", "2", 0));
        assert_eq!(conflict(outcome), (0, "a".into(), first));
        let outcome = store.call::<kv::Set>(set_if("b", "2", first));
        assert_eq!(conflict(outcome), (0, "b".into(), 0));
        assert_eq!(store.value("a").as_deref(), Some(&b"1"[..]));
        assert_eq!(store.value("b"), None);
    }),
    (
        "a deletion with a wrong revision changes nothing",
        |store| {
            let first = store.set("a", "1");
            let outcome = store.delete("a", Some(first + 1));
            assert_eq!(conflict(outcome), (0, "a".into(), first));
            let outcome = store.delete("a", Some(first));
            assert!(outcome.expect("the revision is right").existed);
            assert_eq!(store.value("a"), None);
        },
    ),
    ("an entry expires at its end", |store| {
        let written = store.call::<kv::Set>(set_for("a", 5));
        written.expect("the request is valid");
        store.advance(Duration::from_millis(4_999));
        assert!(store.value("a").is_some());
        store.advance(Duration::from_millis(1));
        assert_eq!(store.value("a"), None);
        assert_eq!(store.scan(ScanRequest::default()).0, [""; 0]);
        let deleted = store.delete("a", None).expect("the key is valid");
        assert!(!deleted.existed);
    }),
    (
        "an expired entry counts as absent for conditions",
        |store| {
            let written = store.call::<kv::Set>(set_for("a", 1));
            written.expect("the request is valid");
            store.advance(Duration::from_secs(1));
            let outcome = store.call::<kv::Set>(set_if("a", "2", 0));
            outcome.expect("the entry has expired");
        },
    ),
    ("a write without a lifetime removes the lifetime", |store| {
        let written = store.call::<kv::Set>(set_for("a", 1));
        written.expect("the request is valid");
        store.set("a", "2");
        store.advance(Duration::from_secs(10));
        assert!(store.value("a").is_some());
    }),
    ("keys are ordered by their bytes", |store| {
        let keys = ["ä", "a/b", "a", "Z", "\u{10ffff}", "a0"];
        keys.into_iter().for_each(|key| _ = store.set(key, ""));
        let ascending = ["Z", "a", "a/b", "a0", "ä", "\u{10ffff}"];
        assert_eq!(store.scan(ScanRequest::default()).0, ascending);
        let (keys, _) = store.scan(ScanRequest {
            descending: true,
            ..ScanRequest::default()
        });
        assert_eq!(keys, ascending.into_iter().rev().collect::<Vec<_>>());
    }),
    ("a scan returns the keys with its prefix", |store| {
        for key in [
            "a",
            "user",
            "user/",
            "user/1",
            "user/\u{10ffff}x",
            "user0",
            "z",
        ] {
            store.set(key, "");
        }
        for descending in [false, true] {
            let (mut keys, token) = store.scan(ScanRequest {
                prefix: "user/".into(),
                descending,
                ..ScanRequest::default()
            });
            keys.sort();
            assert_eq!(keys, ["user/", "user/1", "user/\u{10ffff}x"]);
            assert!(token.is_empty());
        }
    }),
    ("pages continue behind their last key", |store| {
        for at in 0..7 {
            store.set(&format!("k{at}"), "");
        }
        for descending in [false, true] {
            let mut request = ScanRequest {
                prefix: "k".into(),
                limit: 3,
                descending,
                ..ScanRequest::default()
            };
            let mut all = Vec::new();
            loop {
                let (keys, token) = store.scan(request.clone());
                assert!(keys.len() <= 3);
                all.extend(keys);
                if token.is_empty() {
                    break;
                }
                // Changes between pages neither repeat nor hide the other entries.
                store.set("k0x", "");
                store.set("k5x", "");
                request.page_token = token;
            }
            for at in 0..7 {
                let found = all.iter().filter(|key| **key == format!("k{at}"));
                assert_eq!(found.count(), 1, "k{at} in {all:?}");
            }
        }
    }),
    ("a page has at most 1 MiB", |store| {
        for at in 0..3 {
            store.set(&format!("k{at}"), &"v".repeat(400 << 10));
        }
        let (keys, token) = store.scan(ScanRequest::default());
        assert_eq!(keys, ["k0", "k1"]);
        let (keys, token) = store.scan(ScanRequest {
            page_token: token,
            ..ScanRequest::default()
        });
        assert_eq!((keys, token), (vec!["k2".to_owned()], Vec::new()));
    }),
    ("a scan of keys has no values", |store| {
        store.set("a", "1");
        let scanned = store.call::<kv::Scan>(ScanRequest {
            keys_only: true,
            ..ScanRequest::default()
        });
        let entry = scanned.expect("the request is valid").entries.pop();
        assert_eq!(entry.expect("the entry must exist").value, b"");
    }),
    ("a page token of another request is refused", |store| {
        ["a", "b"]
            .into_iter()
            .for_each(|key| _ = store.set(key, ""));
        let request = ScanRequest {
            limit: 1,
            ..ScanRequest::default()
        };
        let (_, page_token) = store.scan(request.clone());
        for request in [
            ScanRequest {
                page_token: page_token.clone(),
                descending: true,
                ..request.clone()
            },
            ScanRequest {
                page_token,
                prefix: "b".into(),
                ..request.clone()
            },
            ScanRequest {
                page_token: b"+\xff".to_vec(),
                ..request
            },
        ] {
            assert_eq!(error(store.call::<kv::Scan>(request)), KvErr::BadToken);
        }
    }),
    ("a batch runs all of its operations", |store| {
        store.set("old", "1");
        let present = store.set("kept", "1");
        let done = store.batch(vec![
            batch_op::Op::Set(set("a", "1")),
            delete("old"),
            check("kept", present),
            check("absent", 0),
            batch_op::Op::Set(set_if("b", "2", 0)),
        ]);
        let BatchResponse { revisions } = done.expect("all conditions are met");
        assert!(
            revisions[0] > present && revisions[4] > revisions[0],
            "{revisions:?}"
        );
        assert_eq!(revisions[1..4], [0, 0, 0]);
        assert_eq!(store.scan(ScanRequest::default()).0, ["a", "b", "kept"]);
    }),
    ("a batch with one wrong revision changes nothing", |store| {
        let present = store.set("kept", "1");
        let outcome = store.batch(vec![
            batch_op::Op::Set(set("a", "1")),
            delete("kept"),
            check("other", 7),
        ]);
        assert_eq!(conflict(outcome), (2, "other".into(), 0));
        assert_eq!(store.scan(ScanRequest::default()).0, ["kept"]);
        assert_eq!(store.set("next", ""), present + 1);
    }),
    ("invalid batches are refused", |store| {
        let many = (0..101).map(|at| check(&at.to_string(), 0));
        let twice = vec![check("a", 0), delete("a")];
        for ops in [Vec::new(), many.collect(), twice] {
            assert_eq!(error(store.batch(ops)), KvErr::BadBatch);
        }
        let empty = BatchRequest {
            ops: vec![BatchOp { op: None }],
        };
        assert_eq!(error(store.call::<kv::Batch>(empty)), KvErr::BadBatch);
        let large = ["a", "b", "c"].map(|key| set(key, &"v".repeat(400 << 10)));
        let large = large.into_iter().map(batch_op::Op::Set).collect();
        assert_eq!(error(store.batch(large)), KvErr::TooLarge);
        assert_eq!(store.scan(ScanRequest::default()).0, [""; 0]);
    }),
    ("keys have 1 to 512 bytes without a NUL", |store| {
        store.set(&"k".repeat(512), "");
        for key in ["", "a\0b", &"k".repeat(513)] {
            assert_eq!(error(store.get(key)), KvErr::BadKey);
            assert_eq!(error(store.call::<kv::Set>(set(key, ""))), KvErr::BadKey);
            assert_eq!(error(store.delete(key, None)), KvErr::BadKey);
            assert_eq!(error(store.batch(vec![delete(key)])), KvErr::BadKey);
        }
    }),
    ("values have at most 512 KiB", |store| {
        store.set("a", &"v".repeat(512 << 10));
        let large = set("b", &"v".repeat((512 << 10) + 1));
        assert_eq!(error(store.call::<kv::Set>(large)), KvErr::TooLarge);
        store.set("empty", "");
        assert_eq!(store.value("empty").as_deref(), Some(&b""[..]));
    }),
];

#[test]
fn the_engine_keeps_the_contract() {
    for (name, case) in CASES {
        println!("{name}");
        let folder = tempfile::tempdir().expect("a temporary folder must be available");
        case(&store(&folder.path().join("sessions.db")));
    }
}

#[test]
fn the_fake_keeps_the_contract() {
    for (name, case) in CASES {
        println!("{name}");
        case(&FakeStore(FakeKv::new("sessions"), AtomicU64::new(0)));
    }
}
