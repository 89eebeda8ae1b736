//! Fuzz target: damaged entries of the cache.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};
use wasmtime::Engine;

use super::Cache;

const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// Code of [`MODULE`], as the engine has compiled it.
static COMPILED: LazyLock<(Engine, Vec<u8>)> = LazyLock::new(|| {
    let engine = Engine::default();
    let code = engine
        .precompile_module(MODULE)
        .expect("the module is valid");
    (engine, code)
});

/// Loads an entry whose bytes differ from the genuine entry, as `data` says: bytes that replace the
/// begin of the entry, after a number of bytes that are cut off at the end.
///
/// # Panics
///
/// If code is loaded from other bytes than those of the genuine entry.
pub fn cache_entry(data: &[u8]) {
    let (engine, code) = &*COMPILED;
    let folder = tempfile::tempdir().expect("a temporary folder must be writable");
    let cache = Cache::open(folder.path(), engine).expect("the folder must be private");
    let entry = cache.entry(&Sha256::digest(MODULE).into());
    entry.store(code);
    let genuine = std::fs::read(&entry.path).expect("the entry must be stored");
    let (cut, start) = data.split_first().unwrap_or((&0, &[]));
    let mut bytes = genuine.clone();
    bytes.truncate(bytes.len() - usize::from(*cut).min(bytes.len()));
    bytes.splice(..start.len().min(bytes.len()), start.iter().copied());
    std::fs::write(&entry.path, &bytes).expect("the entry must be writable");
    let is_loaded = entry.load(engine).is_some();
    assert_eq!(
        is_loaded,
        bytes == genuine,
        "only the genuine entry is code"
    );
}
