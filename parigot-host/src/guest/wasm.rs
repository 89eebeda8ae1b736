//! Guests that are wasm modules.
//!
//! A module is rejected before it runs if it speaks another version of the ABI or lacks an export
//! of the ABI. A module may import only the functions that Go's runtime needs (see
//! [`crate::guest::wasi`]). Every read of a running guest's memory is checked against the bounds of
//! the memory.

use std::ops::Range;
use std::time::Duration;

use parigot_abi::control::{
    CONTROL_BYTES, ControlView, NO_CALL, OUTBOX_COMMITTED_OFFSET, YIELD_NOW_OFFSET,
};
use parigot_abi::frame::Level;
use parigot_abi::start::PROLOGUE_BYTES;
use parigot_abi::{Manifest, Prologue, TURN_OK, VERSION, Version};
use wasmtime::{
    AsContextMut, Config, Engine, ExternType, FuncType, Linker, Memory, Module, Store,
    StoreContextMut, Trap, TypedFunc, UpdateDeadline, ValType,
};

use crate::compile::code_cache::Cache;
use crate::compile::timeout;
use crate::error::{ActiveCall, GuestFault, ModuleError, OverBudget};
use crate::guest::budget::{Budgets, Tick, Watch};
use crate::guest::code::{GuestInstance, InstanceFactory, Turn};
use crate::guest::memory_limiter::Limits;
use crate::guest::wasi::{self, Stream, Wasi};
use crate::limits::{GUEST_STACK_BYTES, REASON_BYTES_MAX, Size};
use crate::settings::Settings;

/// Compiler of modules, one for the whole host.
#[derive(Clone)]
pub(crate) struct Compiler {
    engine: Engine,
    cache: Option<Cache>,
    time_max: Duration,
}

/// Compiled module whose imports and exports conform to the ABI.
#[derive(Clone)]
pub(crate) struct GuestModule {
    module: Module,
    /// Set if the module needs the shim for Go's runtime.
    is_go: bool,
}

/// Functions of the ABI: name, number of `i32` parameters, presence of an `i32` result.
const EXPORTS: [(&str, usize, bool); 4] = [
    ("parigot_abi", 0, true),
    ("parigot_open", 0, true),
    ("parigot_inbox", 2, false),
    ("parigot_turn", 3, true),
];

/// Additional export of a library built by Go, which starts the runtime.
const INITIALIZE: (&str, usize, bool) = ("_initialize", 0, false);

impl Compiler {
    /// Creates a compiler; a cache folder in `settings` keeps the compiled modules.
    pub(crate) fn new(settings: &Settings) -> Self {
        let mut config = Config::new();
        // On demand: guests are single-threaded, and their instances come and go one by one.
        config.allocation_strategy(wasmtime::InstanceAllocationStrategy::OnDemand);
        config.max_wasm_stack(GUEST_STACK_BYTES);
        // The memory limiter limits one memory, so a second one must be impossible.
        config.wasm_multi_memory(false).wasm_memory64(false);
        // At each epoch tick a long turn checks its budget: see `crate::guest::budget`.
        config.epoch_interruption(true);
        let engine =
            Engine::new(&config).expect("this machine runs what Cranelift compiles for it");
        let cache = settings
            .code_cache
            .as_deref()
            .and_then(|folder| Cache::open(folder, &engine));
        Compiler {
            engine,
            cache,
            time_max: settings.compile_time_max,
        }
    }

    /// Returns the function that an epoch ticker calls to interrupt the guests of this engine.
    pub(crate) fn ticks(&self) -> impl Fn() + Send + 'static {
        let engine = self.engine.clone();
        move || engine.increment_epoch()
    }

    /// Compiles a binary module, unless the cache has it, and checks its imports and exports.
    /// `compiling` is called before the compilation.
    pub(crate) fn compile(
        &self,
        bytes: &[u8],
        compiling: impl FnOnce(),
    ) -> Result<GuestModule, ModuleError> {
        if !bytes.starts_with(b"\0asm") {
            return Err(ModuleError::NotWasm);
        }
        let entry = self.cache.as_ref().map(|cache| cache.entry(bytes));
        let module = match entry.as_ref().and_then(|entry| entry.load(&self.engine)) {
            Some(module) => module,
            None => {
                compiling();
                let module = timeout::compile(&self.engine, bytes, self.time_max)?;
                if let Some(entry) = entry {
                    entry.store(&module);
                }
                module
            }
        };
        let is_go = wasi::is_go(bytes);
        check_imports(&module, is_go)?;
        check_exports(&module, is_go)?;
        Ok(GuestModule { module, is_go })
    }
}

fn check_imports(module: &Module, is_go: bool) -> Result<(), ModuleError> {
    let served =
        |module: &str, name: &str| is_go && module == wasi::MODULE && wasi::IMPORTS.contains(&name);
    match module
        .imports()
        .find(|import| !served(import.module(), import.name()))
    {
        Some(import) => Err(ModuleError::Import {
            module: import.module().into(),
            name: import.name().into(),
        }),
        None => Ok(()),
    }
}

fn check_exports(module: &Module, is_go: bool) -> Result<(), ModuleError> {
    if !matches!(module.get_export("memory"), Some(ExternType::Memory(_))) {
        return Err(ModuleError::Export {
            missing: "a memory named `memory`".into(),
        });
    }
    let exports = EXPORTS.into_iter().chain(is_go.then_some(INITIALIZE));
    for (name, params, returns) in exports {
        let i32s = |count| std::iter::repeat_n(ValType::I32, count);
        let expected = FuncType::new(module.engine(), i32s(params), i32s(returns as usize));
        match module.get_export(name) {
            Some(ExternType::Func(found)) if found.matches(&expected) => {}
            _ => {
                return Err(ModuleError::Export {
                    missing: format!("`{name}` of type {expected}"),
                });
            }
        }
    }
    Ok(())
}

/// Configuration of an instance.
pub(crate) struct InstanceConfig {
    pub(crate) memory_bytes_max: usize,
    pub(crate) budget: Duration,
    /// Asks the guest to end a turn at the first tick within it.
    pub(crate) yields_on_first_tick: bool,
    pub(crate) wasi: Wasi,
}

struct Data {
    limits: Limits,
    wasi: Wasi,
    watch: Watch,
    /// Memory and address of the control block, once known.
    control: Option<(Memory, u32)>,
}

/// Converts a trap and the panic text of the guest into a fault.
#[cold]
fn fault_of(error: &wasmtime::Error, data: &Data, panic: String) -> GuestFault {
    if let Some(exit) = error.downcast_ref::<wasi::ProcExit>() {
        return GuestFault::Exit {
            status: exit.status,
        };
    }
    if let Some(over_budget) = error.downcast_ref::<OverBudget>() {
        return GuestFault::OverBudget(over_budget.clone());
    }
    let reason = match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => format!(
            "its calls go deeper than a stack of {}",
            Size(GUEST_STACK_BYTES)
        ),
        _ => error.root_cause().to_string(),
    };
    let fault = GuestFault::of_trap(data.wasi.panic_text().unwrap_or(panic), reason);
    match data.limits.exceeded() {
        Some(memory) => GuestFault::OutOfMemory {
            memory,
            last: Box::new(fault),
        },
        None => fault,
    }
}

/// Handles a tick that falls into a turn.
fn tick(mut context: StoreContextMut<'_, Data>) -> wasmtime::Result<UpdateDeadline> {
    let control = context.data().control;
    let block =
        control.and_then(|(memory, at)| memory.data(&context).get(at as usize..)?.first_chunk());
    let view = block.map(ControlView::read);
    match context.data_mut().watch.tick(view.as_ref()) {
        Tick::Continue => {}
        Tick::AskToYield => set_yield_now(&mut context, 1),
        Tick::Kill(over_budget) => return Err(wasmtime::Error::new(over_budget)),
    }
    Ok(UpdateDeadline::Continue(1))
}

fn set_yield_now(context: &mut StoreContextMut<'_, Data>, value: u32) {
    let Some((memory, at)) = context.data().control else {
        return;
    };
    let cell = at as usize + YIELD_NOW_OFFSET;
    if let Some(cell) = memory.data_mut(context).get_mut(cell..cell + 4) {
        cell.copy_from_slice(&value.to_le_bytes());
    }
}

/// Running wasm guest.
pub(crate) struct WasmGuest {
    store: Store<Data>,
    memory: Memory,
    inbox: TypedFunc<(u32, u32), ()>,
    turn: TypedFunc<(u32, u32, u32), u32>,
    control: u32,
    is_go: bool,
    /// Control block as read after the last turn.
    view: ControlView,
    /// Range of the outbox in the memory.
    outbox: Range<usize>,
}

impl InstanceFactory for GuestModule {
    fn instantiate(
        &self,
        config: InstanceConfig,
        line: &mut dyn FnMut(Level, &str),
    ) -> Result<Result<Box<dyn GuestInstance>, GuestFault>, ModuleError> {
        let engine = self.module.engine();
        let mut linker = Linker::new(engine);
        if self.is_go {
            wasi::link(&mut linker, |data: &mut Data| &mut data.wasi)
                .map_err(ModuleError::Instantiate)?;
        }
        let limits = Limits::new(config.memory_bytes_max);
        let watch = Watch::new(Budgets::new(config.budget), config.yields_on_first_tick);
        let mut store = Store::new(
            engine,
            Data {
                limits,
                wasi: config.wasi,
                watch,
                control: None,
            },
        );
        store.limiter(|data| &mut data.limits);
        store.epoch_deadline_callback(tick);
        store.set_epoch_deadline(1);
        let instance = match linker.instantiate(&mut store, &self.module) {
            Ok(instance) => instance,
            // An error here comes from the start function, which has run.
            Err(error) if error.is::<Trap>() || error.is::<OverBudget>() => {
                return Ok(Err(fault_of(&error, store.data(), String::new())));
            }
            Err(error) => return Err(ModuleError::of_instantiation(error)),
        };

        let exported = |error| ModuleError::Instantiate(error);
        let abi: TypedFunc<(), u32> = instance
            .get_typed_func(&mut store, "parigot_abi")
            .map_err(exported)?;
        let open: TypedFunc<(), u32> = instance
            .get_typed_func(&mut store, "parigot_open")
            .map_err(exported)?;
        let mut guest = WasmGuest {
            memory: instance
                .get_memory(&mut store, "memory")
                .expect("`check_exports` must have found the export"),
            inbox: instance
                .get_typed_func(&mut store, "parigot_inbox")
                .map_err(exported)?,
            turn: instance
                .get_typed_func(&mut store, "parigot_turn")
                .map_err(exported)?,
            control: 0,
            is_go: self.is_go,
            view: ControlView {
                progress_call: NO_CALL,
                ..ControlView::read(&[0; CONTROL_BYTES])
            },
            outbox: 0..0,
            store,
        };
        if self.is_go {
            let initialize: TypedFunc<(), ()> = instance
                .get_typed_func(&mut guest.store, "_initialize")
                .map_err(exported)?;
            if let Err(fault) = guest.enter(|store| initialize.call(store, ())) {
                guest.take_output(true, line);
                return Ok(Err(fault));
            }
        }
        let packed = guest.enter(|store| abi.call(store, ()));
        if let Ok(found) = packed.as_ref().map(|packed| Version::from_packed(*packed))
            && found.major != VERSION.major
        {
            return Err(ModuleError::Abi { found });
        }
        let opened = packed.and_then(|_| guest.open(&open));
        if opened.is_err() {
            guest.take_output(true, line);
        }
        Ok(opened.map(|()| Box::new(guest) as _))
    }
}

impl WasmGuest {
    fn open(&mut self, open: &TypedFunc<(), u32>) -> Result<(), GuestFault> {
        self.control = self.enter(|store| open.call(store, ()))?;
        self.store.data_mut().control = Some((self.memory, self.control));
        self.read_control()
    }

    /// Calls into the guest; a trap becomes a fault with the panic text of the guest.
    fn enter<R>(
        &mut self,
        call: impl FnOnce(&mut Store<Data>) -> wasmtime::Result<R>,
    ) -> Result<R, GuestFault> {
        self.begin_watch();
        call(&mut self.store).map_err(|error| self.fault_of(error))
    }

    /// Starts to count the time of the next call.
    fn begin_watch(&mut self) {
        if self.store.data_mut().watch.begin_turn() {
            set_yield_now(&mut self.store.as_context_mut(), 0);
        }
        self.store.set_epoch_deadline(1);
    }

    #[cold]
    fn fault_of(&mut self, error: wasmtime::Error) -> GuestFault {
        // There is no control block before `parigot_open` has returned. Frames committed before the
        // trap are carried out. Frames that cannot be read count as not sent.
        let is_readable = self.control != 0 && self.read_control().is_ok();
        let panic = if is_readable {
            self.panic_text()
        } else {
            String::new()
        };
        fault_of(&error, self.store.data(), panic)
    }

    fn panic_text(&self) -> String {
        let ControlView {
            panic_address,
            panic_capacity,
            panic_bytes,
            ..
        } = self.view;
        // The text goes to every caller, so one guest's text must not fill the host's memory.
        let bytes = panic_bytes.min(panic_capacity).min(REASON_BYTES_MAX as u64);
        let bytes = self
            .slice("panic text", panic_address, bytes)
            .unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn slice(&self, what: &'static str, address: u64, bytes: u64) -> Result<&[u8], GuestFault> {
        slice(self.memory.data(&self.store), what, address, bytes)
    }

    /// Reads the control block and checks that the outbox lies in the memory.
    fn read_control(&mut self) -> Result<(), GuestFault> {
        let memory = self.memory.data(&self.store);
        let block = slice(
            memory,
            "the control block",
            self.control.into(),
            CONTROL_BYTES as u64,
        )?;
        self.view = ControlView::read(
            block
                .first_chunk()
                .expect("the slice must have the length of the block"),
        );
        let ControlView {
            outbox_address,
            outbox_committed,
            ..
        } = self.view;
        self.outbox = 0..0;
        self.outbox = range(memory, "the outbox", outbox_address, outbox_committed)?;
        Ok(())
    }

    /// Grows the inbox to at least `bytes`.
    fn grow_inbox(&mut self, bytes: usize) -> Result<(), GuestFault> {
        let capacity =
            u32::try_from(bytes.next_power_of_two()).map_err(|_| self.inbox_fault(bytes))?;
        let (inbox, control) = (self.inbox.clone(), self.control);
        self.enter(|store| inbox.call(store, (control, capacity)))?;
        self.read_control()?;
        if self.view.inbox_capacity < bytes as u64 {
            Err(self.inbox_fault(bytes))
        } else {
            Ok(())
        }
    }

    fn inbox_fault(&self, bytes: usize) -> GuestFault {
        GuestFault::Memory {
            what: "the inbox",
            address: self.view.inbox_address,
            bytes: bytes as u64,
        }
    }

    /// Writes the inbox and empties the outbox, so that a guest that traps at once does not send
    /// old frames again.
    fn fill_inbox(&mut self, prologue: Prologue, frames: &[u8]) -> Result<u32, GuestFault> {
        self.outbox = 0..0;
        let bytes = PROLOGUE_BYTES + frames.len();
        if self.view.inbox_capacity < bytes as u64 {
            empty_outbox(self.memory.data_mut(&mut self.store), self.control);
            self.grow_inbox(bytes)?;
        }
        let memory = self.memory.data_mut(&mut self.store);
        empty_outbox(memory, self.control);
        let address = self.view.inbox_address;
        let start = usize::try_from(address).ok();
        let Some(inbox) = start.and_then(|start| memory.get_mut(start..start.checked_add(bytes)?))
        else {
            return Err(GuestFault::Memory {
                what: "the inbox",
                address,
                bytes: bytes as u64,
            });
        };
        let (head, rest) = inbox.split_at_mut(PROLOGUE_BYTES);
        head.copy_from_slice(&prologue.to_bytes());
        rest.copy_from_slice(frames);
        Ok(bytes as u32)
    }
}

/// Marks the outbox as empty in the control block.
fn empty_outbox(memory: &mut [u8], control: u32) {
    // Safe to index: `read_control` found the whole block in the memory, which never shrinks.
    memory[control as usize + OUTBOX_COMMITTED_OFFSET..][..8].fill(0);
}

/// Returns the range of a part of a guest's memory, checked against the memory's size.
fn range(
    memory: &[u8],
    what: &'static str,
    address: u64,
    bytes: u64,
) -> Result<Range<usize>, GuestFault> {
    let end = address
        .checked_add(bytes)
        .and_then(|end| usize::try_from(end).ok());
    // Not `ok_or`: its argument would build and drop a fault on every call.
    match end.filter(|end| *end <= memory.len()) {
        Some(end) => Ok(address as usize..end),
        None => Err(GuestFault::Memory {
            what,
            address,
            bytes,
        }),
    }
}

/// Returns a part of a guest's memory, checked against the memory's size.
fn slice<'a>(
    memory: &'a [u8],
    what: &'static str,
    address: u64,
    bytes: u64,
) -> Result<&'a [u8], GuestFault> {
    range(memory, what, address, bytes).map(|range| &memory[range])
}

impl GuestInstance for WasmGuest {
    fn learn(&mut self, manifest: &Manifest) {
        self.store.data_mut().watch.learn(manifest);
    }

    fn turn(
        &mut self,
        prologue: Prologue,
        frames: &[u8],
        max_polls: u32,
    ) -> Result<Turn, GuestFault> {
        let inbox_bytes = self.fill_inbox(prologue, frames)?;
        if self.is_go {
            let (memory, data) = self.memory.data_and_store_mut(&mut self.store);
            data.wasi
                .begin_turn(prologue.monotonic_ns, prologue.wall_ns);
            data.wasi.show_timers(memory, self.control);
        }
        self.begin_watch();
        let parameters = (self.control, inbox_bytes, max_polls);
        let status = self
            .turn
            .call(&mut self.store, parameters)
            .map_err(|error| self.fault_of(error))?;
        self.read_control()?;
        if status != TURN_OK {
            return Err(GuestFault::Inbox {
                text: self.panic_text(),
            });
        }
        let runtime_wake_ns = if self.is_go {
            self.store.data_mut().wasi.end_turn()
        } else {
            u64::MAX
        };
        Ok(Turn {
            more: self.view.more,
            wake_at_ns: self.view.wake_at_ns.min(runtime_wake_ns),
        })
    }

    fn active_call(&self) -> Option<ActiveCall> {
        self.store.data().watch.active_call(&self.view)
    }

    fn outbox(&self) -> &[u8] {
        // Safe to index: `read_control` found the outbox in the memory, which never shrinks.
        &self.memory.data(&self.store)[self.outbox.clone()]
    }

    fn take_output(&mut self, ended: bool, line: &mut dyn FnMut(Level, &str)) {
        if self.is_go {
            self.take_output_of_go(ended, line);
        }
    }
}

impl WasmGuest {
    #[inline(never)]
    fn take_output_of_go(&mut self, ended: bool, line: &mut dyn FnMut(Level, &str)) {
        let sink = |stream, text: &str| match stream {
            Stream::Out => line(Level::Info, text),
            Stream::Err => line(Level::Error, text),
        };
        let wasi = &mut self.store.data_mut().wasi;
        if ended {
            wasi.take_rest(sink)
        } else {
            wasi.take_lines(sink)
        }
    }
}
