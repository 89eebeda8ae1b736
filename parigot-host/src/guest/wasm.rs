//! Guests that are wasm modules.
//!
//! The compiler has checked the module's imports and exports: see [`crate::compile::compiler`]. A
//! turn has these steps:
//!
//! 1. Write the prologue and the frames into the inbox, and mark the outbox as empty.
//! 2. Start the budget watch, and call the export `parigot_turn`.
//! 3. Read the control block, and check that the outbox lies in the guest's memory.
//!
//! The guest writes the control block, so every address and length in it is checked against the
//! bounds of the memory. A memory of wasm never shrinks, so a range stays valid once checked.

use std::ops::Range;
use std::sync::Arc;

use parigot_abi::control::{CONTROL_BYTES, ControlView, NO_CALL, YIELD_NOW_OFFSET};
use parigot_abi::start::PROLOGUE_BYTES;
use parigot_abi::{Manifest, Prologue, TURN_OK, VERSION, Version};
use wasmtime::{
    AsContextMut, Instance, Linker, Memory, Module, Store, StoreContextMut, Trap, TypedFunc,
    UpdateDeadline,
};

use crate::error::{ActiveCall, GuestFault, ModuleError, OverBudget};
use crate::guest::backtrace::Symbols;
use crate::guest::budget::{Budgets, Tick, Watch};
use crate::guest::code::{GuestInstance, InstanceConfig, InstanceFactory, InstantiateError, Turn};
use crate::guest::fault::EngineError;
use crate::guest::memory_limiter::{Limits, MemoryPool};
use crate::guest::memory_range::{empty_outbox, range, slice};
use crate::guest::stack_pointer::STACK_POINTER_EXPORT;
use crate::guest::wasi::Wasi;
use crate::guest::wasi::imports;
use crate::limits::{REASON_BYTES_MAX, marking_time_max};
use crate::log::guest_log::GuestLine;

/// Compiled module whose imports and exports conform to the ABI.
#[derive(Clone)]
pub(crate) struct GuestModule {
    module: Module,
    /// Set if the module needs the shim for Go's runtime.
    is_go: bool,
    /// Descriptors in the module's custom section; empty if the host needs none.
    descriptors: Arc<[u8]>,
    symbols: Arc<Symbols>,
    /// Memory that the instances share with those of the other modules.
    memory: MemoryPool,
}

/// Running wasm guest.
pub(crate) struct WasmGuest {
    store: Store<Data>,
    instance: Instance,
    memory: Memory,
    inbox: TypedFunc<(u32, u32), ()>,
    turn: TypedFunc<(u32, u32, u32), u32>,
    /// Address of the control block; 0 before `parigot_open` has returned.
    control: u32,
    is_go: bool,
    symbols: Arc<Symbols>,
    /// Control block as read after the last turn.
    view: ControlView,
    /// Range of the outbox in the memory.
    outbox: Range<usize>,
}

/// Data of an instance's store, which callbacks of the engine receive.
struct Data {
    limits: Limits,
    wasi: Wasi,
    watch: Watch,
    /// Memory and address of the control block; `None` before `parigot_open` has returned.
    control: Option<(Memory, u32)>,
}

/// Exports that are called once, before the init turn.
struct SetupExports {
    /// Starts Go's runtime.
    initialize: Option<TypedFunc<(), ()>>,
    abi: TypedFunc<(), u32>,
    open: TypedFunc<(), u32>,
}

impl InstanceFactory for GuestModule {
    fn instantiate(
        &self,
        config: InstanceConfig<'_>,
        line: &mut dyn FnMut(&GuestLine<'_>),
    ) -> Result<Box<dyn GuestInstance>, InstantiateError> {
        let mut store = self.store(&config);
        let instance = self.start(&mut store)?;
        let setup = SetupExports::of(&instance, &mut store, self.is_go)
            .map_err(ModuleError::Instantiate)?;
        let mut guest = WasmGuest::of(&instance, store, self).map_err(ModuleError::Instantiate)?;
        let set_up = guest.set_up(&setup);
        if let Err(InstantiateError::Fault(_)) = set_up {
            guest.take_output(true, line);
        }
        set_up?;
        Ok(Box::new(guest))
    }

    fn has_budget(&self) -> bool {
        true
    }

    fn listens(&self) -> bool {
        self.module
            .imports()
            .any(|import| import.name() == imports::ACCEPT)
    }

    fn descriptors(&self) -> &[u8] {
        &self.descriptors
    }
}

impl GuestModule {
    /// Wraps a module whose imports and exports were checked.
    pub(crate) fn new(module: Module, is_go: bool, descriptors: Vec<u8>, symbols: Symbols) -> Self {
        GuestModule {
            module,
            is_go,
            descriptors: descriptors.into(),
            symbols: Arc::new(symbols),
            memory: MemoryPool::new(None),
        }
    }

    /// Returns the module with another source of memory for its instances.
    pub(crate) fn with_memory(self, memory: MemoryPool) -> Self {
        GuestModule { memory, ..self }
    }

    /// Creates the store of an instance, with its limits.
    fn store(&self, config: &InstanceConfig<'_>) -> Store<Data> {
        let data = Data {
            limits: Limits::new(config.memory_bytes_max as usize, self.memory.clone()),
            wasi: Wasi::of(config),
            watch: Watch::new(Budgets::new(config.budget), config.yields_on_first_tick),
            control: None,
        };
        let mut store = Store::new(self.module.engine(), data);
        store.limiter(|data| &mut data.limits);
        store.epoch_deadline_callback(tick);
        store.set_epoch_deadline(1);
        store
    }

    /// Creates the instance and runs the start function of its module.
    fn start(&self, store: &mut Store<Data>) -> Result<Instance, InstantiateError> {
        let mut linker = Linker::new(self.module.engine());
        if self.is_go {
            imports::link(&mut linker, |data: &mut Data| &mut data.wasi)
                .map_err(ModuleError::Instantiate)?;
        }
        match linker.instantiate(&mut *store, &self.module) {
            Ok(instance) => Ok(instance),
            // Only code of the guest traps or exceeds a budget, so the start function has run.
            Err(error) if error.is::<Trap>() || error.is::<OverBudget>() => {
                let Data { limits, wasi, .. } = store.data_mut();
                Err(EngineError::new(error, limits, self.is_go, &self.symbols)
                    .into_fault(wasi)
                    .into())
            }
            Err(error) => Err(ModuleError::of_instantiation(error).into()),
        }
    }
}

impl SetupExports {
    fn of(instance: &Instance, store: &mut Store<Data>, is_go: bool) -> wasmtime::Result<Self> {
        let initialize = if is_go {
            Some(instance.get_typed_func(&mut *store, "_initialize")?)
        } else {
            None
        };
        Ok(SetupExports {
            initialize,
            abi: instance.get_typed_func(&mut *store, "parigot_abi")?,
            open: instance.get_typed_func(&mut *store, "parigot_open")?,
        })
    }
}

impl WasmGuest {
    fn of(
        instance: &Instance,
        mut store: Store<Data>,
        module: &GuestModule,
    ) -> wasmtime::Result<Self> {
        Ok(WasmGuest {
            instance: *instance,
            memory: instance
                .get_memory(&mut store, "memory")
                .expect("the compiler must have checked the export"),
            inbox: instance.get_typed_func(&mut store, "parigot_inbox")?,
            turn: instance.get_typed_func(&mut store, "parigot_turn")?,
            control: 0,
            is_go: module.is_go,
            symbols: Arc::clone(&module.symbols),
            view: ControlView {
                progress_call: NO_CALL,
                ..ControlView::read(&[0; CONTROL_BYTES])
            },
            outbox: 0..0,
            store,
        })
    }

    /// Starts the runtime, checks the version of the ABI and opens the guest.
    fn set_up(&mut self, setup: &SetupExports) -> Result<(), InstantiateError> {
        if let Some(initialize) = &setup.initialize {
            self.enter(|store| initialize.call(store, ()))?;
        }
        let packed = self.enter(|store| setup.abi.call(store, ()))?;
        let found = Version::from_packed(packed);
        // Before `parigot_open`, whose result depends on the version.
        if !VERSION.runs(found) {
            return Err(ModuleError::Abi { found }.into());
        }
        self.control = self.enter(|store| setup.open.call(store, ()))?;
        self.store.data_mut().control = Some((self.memory, self.control));
        self.read_control()?;
        Ok(())
    }

    /// Calls into the guest; a trap becomes a fault with the panic text of the guest.
    fn enter<R>(
        &mut self,
        call: impl FnOnce(&mut Store<Data>) -> wasmtime::Result<R>,
    ) -> Result<R, GuestFault> {
        self.begin_watch();
        call(&mut self.store).map_err(|error| self.fault_of(error))
    }
}

/// Fast path: every message of a guest goes through `turn`.
///
/// The host's side of a turn allocates nothing. `#[cold]` and `#[inline(never)]` keep the code for
/// faults and for Go's output out of line, so that the code of a normal turn stays small.
impl GuestInstance for WasmGuest {
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
            has_more_work: self.view.more || self.is_go && self.store.data().wasi.is_cut(),
            wake_at_ns: self.view.wake_at_ns.min(runtime_wake_ns),
        })
    }

    fn set_manifest(&mut self, manifest: &Manifest) {
        let Data { wasi, watch, .. } = self.store.data_mut();
        watch.set_manifest(manifest);
        wasi.spread_marking(watch.yields_on_first_tick());
    }

    fn active_call(&self) -> Option<ActiveCall> {
        self.store.data().watch.active_call(&self.view)
    }

    fn method_name(&self, service: u32, method: u32) -> Option<String> {
        self.store.data().watch.method_name(service, method)
    }

    fn has_begun(&self, call: u64) -> bool {
        self.view.has_begun(call)
    }

    fn last_begun(&self) -> Option<u64> {
        let [_, in_mailbox] = self.view.begun;
        Some(in_mailbox)
    }

    fn has_larger_budgets(&self) -> bool {
        self.store.data().watch.has_larger_budgets()
    }

    fn set_served(&mut self, numbers: &mut dyn Iterator<Item = u64>) {
        self.store.data_mut().watch.set_served(numbers);
    }

    fn outbox(&self) -> &[u8] {
        // Safe to index: `read_control` found the outbox in the memory, which never shrinks.
        &self.memory.data(&self.store)[self.outbox.clone()]
    }

    fn take_output(&mut self, ended: bool, line: &mut dyn FnMut(&GuestLine<'_>)) {
        if self.is_go {
            self.take_output_of_go(ended, line);
        }
    }
}

impl WasmGuest {
    /// Writes the inbox and empties the outbox, so that a guest that traps at once does not send
    /// old frames again.
    fn fill_inbox(&mut self, prologue: Prologue, frames: &[u8]) -> Result<u32, GuestFault> {
        self.outbox = 0..0;
        let bytes = PROLOGUE_BYTES + frames.len();
        if self.view.inbox_capacity < bytes as u64 {
            // `grow_inbox` reads the control block, so the outbox must be empty before as well.
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

    /// Grows the inbox to at least `bytes`. The next power of two keeps such calls rare.
    fn grow_inbox(&mut self, bytes: usize) -> Result<(), GuestFault> {
        let capacity =
            u32::try_from(bytes.next_power_of_two()).map_err(|_| self.inbox_fault(bytes))?;
        let inbox = self.inbox.clone();
        let control = self.control;
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

    /// Starts to watch the budget of the next call.
    fn begin_watch(&mut self) {
        if self.store.data_mut().watch.begin_turn() {
            set_yield_now(&mut self.store.as_context_mut(), 0);
        }
        // Ticks since the last call do not belong to this call, so the deadline is set from the
        // current tick.
        self.store.set_epoch_deadline(1);
    }

    /// Reads the control block and checks that the outbox lies in the memory.
    ///
    /// Always inlined: each turn passes here, and a call would cost some 20 instructions.
    #[inline(always)]
    fn read_control(&mut self) -> Result<(), GuestFault> {
        let memory = self.memory.data(&self.store);
        let block = slice(
            memory,
            "the control block",
            self.control.into(),
            CONTROL_BYTES as u64,
        )?;
        self.view.update(
            block
                .first_chunk()
                .expect("the slice must have the length of the block"),
        );
        let ControlView {
            outbox_address,
            outbox_committed,
            ..
        } = self.view;
        // First empty, so that an invalid range leaves no outbox.
        self.outbox = 0..0;
        self.outbox = range(memory, "the outbox", outbox_address, outbox_committed)?;
        Ok(())
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
        let stack_pointer = self.stack_pointer();
        let (memory, Data { limits, wasi, .. }) = self.memory.data_and_store_mut(&mut self.store);
        let outbox = &memory[self.outbox.clone()];
        EngineError::new(error, limits, self.is_go, &self.symbols)
            .with_panic(panic)
            .with_outbox(outbox)
            .with_stack_pointer(stack_pointer)
            .into_fault(wasi)
    }

    /// Returns the pointer to the stack in the guest's memory, if the module has such a stack.
    fn stack_pointer(&mut self) -> Option<i32> {
        let global = self
            .instance
            .get_global(&mut self.store, STACK_POINTER_EXPORT)?;
        global.get(&mut self.store).i32()
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
        let memory = self.memory.data(&self.store);
        let bytes = slice(memory, "the panic text", panic_address, bytes).unwrap_or_default();
        String::from_utf8_lossy(bytes).into_owned()
    }

    #[inline(never)]
    fn take_output_of_go(&mut self, ended: bool, line: &mut dyn FnMut(&GuestLine<'_>)) {
        let wasi = &mut self.store.data_mut().wasi;
        if ended {
            wasi.take_rest(line)
        } else {
            wasi.take_lines(line)
        }
    }
}

/// Handles a tick that falls into a call. The guest has stopped, and continues if this returns
/// `Ok`.
fn tick(mut context: StoreContextMut<'_, Data>) -> wasmtime::Result<UpdateDeadline> {
    let control = context.data().control;
    let block =
        control.and_then(|(memory, at)| memory.data(&context).get(at as usize..)?.first_chunk());
    let view = block.map(ControlView::read);
    // The time of Go's garbage collector counts apart from the time of the guest's own code.
    let collector = control.and_then(|(memory, at)| {
        let (memory, Data { wasi, .. }) = memory.data_and_store_mut(&mut context);
        let collects = wasi.tick(memory, at);
        collects.then(|| marking_time_max(memory.len()))
    });
    match context.data_mut().watch.tick(view.as_ref(), collector) {
        Tick::Continue => {}
        Tick::AskToYield => set_yield_now(&mut context, 1),
        Tick::Kill(over_budget) => return Err(wasmtime::Error::new(over_budget)),
    }
    Ok(UpdateDeadline::Continue(1))
}

/// Writes the cell of the control block that asks the guest to end its turn.
fn set_yield_now(context: &mut StoreContextMut<'_, Data>, value: u32) {
    let Some((memory, at)) = context.data().control else {
        return;
    };
    let cell = at as usize + YIELD_NOW_OFFSET;
    if let Some(cell) = memory.data_mut(context).get_mut(cell..cell + 4) {
        cell.copy_from_slice(&value.to_le_bytes());
    }
}
