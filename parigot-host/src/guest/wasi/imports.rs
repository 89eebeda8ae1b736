//! Imports of a Go guest: their names and types, and the functions that a linker calls.

use wasmtime::{Caller, Extern, FuncType, Linker, Val, ValType};

use super::Wasi;
use super::memory::{Errno, GuestMemory};

/// Module from which a Go guest imports.
pub(crate) const MODULE: &str = "wasi_snapshot_preview1";

/// Imports that have an effect; each is a method of [`Wasi`] or a closure in [`link`].
const SERVED: [&str; 12] = [
    "args_get",
    "args_sizes_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_fdstat_get",
    "fd_read",
    "fd_write",
    "poll_oneoff",
    "proc_exit",
    "random_get",
    "sched_yield",
];

/// Import of modules that contain a listener of package net. Go's own listeners are within the
/// guest and never call it; those of `net.FileListener` do.
pub(crate) const ACCEPT: &str = "sock_accept";

/// Imports that only return an error: name, parameters (`i` is an `i32`, `I` an `i64`), error.
const REFUSED: [(&str, &str, Errno); 24] = [
    ("fd_close", "i", Errno::Badf),
    ("fd_fdstat_set_flags", "ii", Errno::Notsup),
    ("fd_fdstat_set_rights", "iII", Errno::Notsup),
    ("fd_filestat_get", "ii", Errno::Badf),
    ("fd_filestat_set_size", "iI", Errno::Badf),
    ("fd_pread", "iiiIi", Errno::Spipe),
    // Go looks for preopened directories until the first error, so an error ends the search.
    ("fd_prestat_dir_name", "iii", Errno::Badf),
    ("fd_prestat_get", "ii", Errno::Badf),
    ("fd_pwrite", "iiiIi", Errno::Spipe),
    ("fd_readdir", "iiiIi", Errno::Badf),
    ("fd_seek", "iIii", Errno::Spipe),
    ("fd_sync", "i", Errno::Badf),
    ("path_create_directory", "iii", Errno::Acces),
    ("path_filestat_get", "iiiii", Errno::Acces),
    ("path_filestat_set_times", "iiiiIIi", Errno::Acces),
    ("path_link", "iiiiiii", Errno::Acces),
    ("path_open", "iiiiiIIii", Errno::Acces),
    ("path_readlink", "iiiiii", Errno::Acces),
    ("path_remove_directory", "iii", Errno::Acces),
    ("path_rename", "iiiiii", Errno::Acces),
    ("path_symlink", "iiiii", Errno::Acces),
    ("path_unlink_file", "iii", Errno::Acces),
    (ACCEPT, "iii", Errno::Badf),
    ("sock_shutdown", "ii", Errno::Badf),
];

/// All imports of [`MODULE`] that a Go guest may use: those with an effect, then the others.
pub(crate) const IMPORTS: [&str; SERVED.len() + REFUSED.len()] = {
    let mut names = [""; SERVED.len() + REFUSED.len()];
    let mut k = 0;
    while k < names.len() {
        names[k] = if k < SERVED.len() {
            SERVED[k]
        } else {
            REFUSED[k - SERVED.len()].0
        };
        k += 1;
    }
    names
};

/// Exit of the guest by `os.Exit`. A panic takes another path: Go's runtime writes the text to
/// descriptor 2 and traps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("exit status {status}")]
pub(crate) struct ProcExit {
    /// Exit status; larger values become 255.
    pub(crate) status: u8,
}

/// Adds [`IMPORTS`] to a linker; `wasi` returns the WASI state from the store's data.
///
/// # Errors
///
/// If the linker already has one of the imports.
pub(crate) fn link<T: 'static>(
    linker: &mut Linker<T>,
    wasi: fn(&mut T) -> &mut Wasi,
) -> wasmtime::Result<()> {
    /// Defines an import whose parameters are all `u32` and whose result is an error number.
    macro_rules! serve {
        ($method:ident($($parameter:ident),*)) => {
            linker.func_wrap(
                MODULE,
                stringify!($method),
                move |mut caller: Caller<'_, T>, $($parameter: u32),*| {
                    let (wasi, memory) = split(&mut caller, wasi)?;
                    wasmtime::Result::Ok(errno(wasi.$method(memory, $($parameter),*)))
                },
            )?;
        };
    }
    serve!(args_get(pointers, buffer));
    serve!(args_sizes_get(count, bytes));
    serve!(environ_get(pointers, buffer));
    serve!(environ_sizes_get(count, bytes));
    serve!(fd_fdstat_get(fd, stat));
    serve!(fd_read(fd, buffers, count, read));
    serve!(fd_write(fd, buffers, count, written));
    serve!(random_get(buffer, bytes));
    linker.func_wrap(
        MODULE,
        "clock_time_get",
        move |mut caller: Caller<'_, T>, clock: u32, _precision: u64, time: u32| {
            let (wasi, memory) = split(&mut caller, wasi)?;
            wasmtime::Result::Ok(errno(wasi.clock_time_get(memory, clock, time)))
        },
    )?;
    linker.func_wrap(
        MODULE,
        "poll_oneoff",
        move |mut caller: Caller<'_, T>,
              subscriptions: u32,
              events: u32,
              count: u32,
              written: u32| {
            let (wasi, memory) = split(&mut caller, wasi)?;
            let polled = wasi.poll_oneoff(memory, subscriptions, events, count, written)?;
            wasmtime::Result::Ok(errno(polled))
        },
    )?;
    linker.func_wrap(MODULE, "sched_yield", || errno(Ok(())))?;
    linker.func_wrap(MODULE, "proc_exit", |status: u32| -> wasmtime::Result<()> {
        Err(ProcExit {
            status: u8::try_from(status).unwrap_or(u8::MAX),
        }
        .into())
    })?;
    link_refused(linker, wasi)
}

/// Adds the imports that only return an error.
fn link_refused<T: 'static>(
    linker: &mut Linker<T>,
    wasi: fn(&mut T) -> &mut Wasi,
) -> wasmtime::Result<()> {
    for (name, parameters, refusal) in REFUSED {
        let parameters = parameters
            .chars()
            .map(|c| if c == 'I' { ValType::I64 } else { ValType::I32 });
        let of_type = FuncType::new(linker.engine(), parameters, [ValType::I32]);
        linker.func_new(MODULE, name, of_type, move |mut caller, _, results| {
            if name == ACCEPT {
                wasi(caller.data_mut()).note_refused_accept();
            }
            results[0] = Val::I32(refusal as i32);
            Ok(())
        })?;
    }
    Ok(())
}

/// Returns the guest's WASI state and memory.
fn split<'a, T: 'static>(
    caller: &'a mut Caller<'_, T>,
    wasi: fn(&mut T) -> &mut Wasi,
) -> wasmtime::Result<(&'a mut Wasi, GuestMemory<'a>)> {
    let memory = match wasi(caller.data_mut()).memory {
        Some(memory) => memory,
        // The first import call of the instance: the export is looked up once, by name.
        None => {
            let memory = caller
                .get_export("memory")
                .and_then(Extern::into_memory)
                .ok_or_else(|| wasmtime::Error::msg("exports no memory"))?;
            *wasi(caller.data_mut()).memory.insert(memory)
        }
    };
    let (bytes, data) = memory.data_and_store_mut(caller);
    Ok((wasi(data), GuestMemory(bytes)))
}

fn errno(result: Result<(), Errno>) -> u32 {
    result.map_or_else(|errno| errno as u32, |()| 0)
}
