//! Fuzz target: imports that a Go guest may call.

use std::sync::LazyLock;

use wasmtime::{Engine, Linker, Memory, MemoryType, Store, Val, ValType};

use super::Wasi;
use super::imports::{IMPORTS, MODULE, link};

static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::default);

/// Calls imports until one of them ends the guest. `data` is the begin of the guest's memory, and
/// the list of the calls: the number of the import, then four bytes for each argument.
pub fn wasi(data: &[u8]) {
    let mut linker = Linker::new(&ENGINE);
    link(&mut linker, |wasi| wasi).expect("the linker is empty");
    let strings = ["fuzz".to_owned(), "argument".to_owned()];
    let env = vec![("KEY".to_owned(), "value".to_owned())];
    let mut store = Store::new(&ENGINE, Wasi::new(strings.to_vec(), env, [0; 32]));
    let memory = Memory::new(&mut store, MemoryType::new(1, Some(1)));
    let memory = memory.expect("a page must fit");
    store.data_mut().memory = Some(memory);
    let begin = data.len().min(memory.data_size(&store));
    memory.data_mut(&mut store)[..begin].copy_from_slice(&data[..begin]);
    let mut rest = data;
    let mut now_ns = 0;
    while let Some(number) = next(&mut rest, 1) {
        let Some(name) = IMPORTS.get(number as usize) else {
            end_turn(&mut store, memory, now_ns);
            now_ns += number;
            continue;
        };
        let import = linker.get(&mut store, MODULE, name);
        let import = import
            .ok()
            .and_then(|import| import.into_func())
            .expect("each import must be linked");
        let of_type = import.ty(&store);
        let arguments: Vec<_> = of_type
            .params()
            .map(|parameter| {
                let bits = next(&mut rest, 4).unwrap_or_default();
                match parameter {
                    ValType::I64 => Val::I64(bits as i64),
                    _ => Val::I32(bits as i32),
                }
            })
            .collect();
        let mut results = vec![Val::I32(0); of_type.results().len()];
        if import.call(&mut store, &arguments, &mut results).is_err() {
            break;
        }
    }
    store.data_mut().last_line(data);
    store.data_mut().take_report();
    store.data_mut().take_rest(&mut |_| {});
}

/// Removes a little-endian number of that many bytes.
fn next(data: &mut &[u8], bytes: usize) -> Option<u64> {
    let number = data.split_off(..bytes)?;
    Some(
        number
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    )
}

/// Ends a turn and begins the next one, with the control block at the begin of the memory.
fn end_turn(store: &mut Store<Wasi>, memory: Memory, now_ns: u64) {
    let (bytes, wasi) = memory.data_and_store_mut(store);
    wasi.end_turn();
    wasi.take_lines(&mut |_| {});
    wasi.begin_turn(now_ns, now_ns);
    wasi.show_timers(bytes, 0);
}
