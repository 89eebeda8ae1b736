//! The executor: tasks, and the queue of tasks that are ready.
//!
//! A task lives in a slot. A slot keeps its waker when its task ends, so that a new task costs one
//! allocation, that of its future.
//!
//! A waker must be `Send` and `Sync` although a guest has one thread. Therefore the queue that
//! wakers push to is lock-free: a list of slots, linked through the wakers themselves, which the
//! executor takes as a whole. On targets without threads, the atomics of the queue are plain loads
//! and stores.
//!
//! A waker that outlives its task wakes the next task in the same slot. Futures must tolerate
//! spurious polls anyway, so slots need no generation.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::pin::Pin;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::task::{self, Waker};

use crate::runtime::scope::Scope;

/// No slot: the end of the list of woken slots.
const NONE: u32 = u32::MAX;

/// The future of a task.
pub(crate) type TaskFuture = Pin<Box<dyn Future<Output = ()>>>;

/// Index of a task's slot. It means nothing once the task has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskId(u32);

impl TaskId {
    pub(crate) fn from_index(index: u32) -> Self {
        TaskId(index)
    }

    /// Returns the index of the task's slot, which is never [`u32::MAX`].
    pub(crate) fn index(self) -> u32 {
        self.0
    }
}

/// The recipient of a wake-up.
pub(crate) enum Waiter {
    /// A task of this executor. Cheaper than its waker, which is counted and called by address.
    Task(TaskId),
    /// Any other waker, for example of a combinator that polls its parts on its own.
    Other(Waker),
}

/// All tasks of a guest.
pub(crate) struct Executor {
    tasks: RefCell<TaskTable>,
    /// The task that is being polled, and the address of its waker: see [`Executor::waiter`].
    polled: Cell<(u32, *const Waker)>,
    /// A free slot and its waker, for [`Executor::start`]. Most tasks that are started end in their
    /// first poll, which leaves the slot free for the next one.
    spare: RefCell<(u32, Waker)>,
}

impl Default for Executor {
    fn default() -> Self {
        let mut tasks = TaskTable::default();
        let spare = RefCell::new(tasks.take_free_waker());
        Executor {
            tasks: RefCell::new(tasks),
            polled: Cell::new((NONE, ptr::null())),
            spare,
        }
    }
}

#[derive(Default)]
struct TaskTable {
    slots: Vec<TaskSlot>,
    free: Vec<u32>,
    /// Slots that are ready, the oldest last. All slots in `woken` are younger.
    ready: Vec<u32>,
    woken: Arc<WokenList>,
}

struct TaskSlot {
    node: Arc<WakeNode>,
    /// `None` while the task is polled, or while the slot is the executor's spare one.
    waker: Option<Waker>,
    /// `None` while the task is polled, or if the slot is free.
    future: Option<TaskFuture>,
    /// Set aside at the guest's exit: the task is kept, but not polled any more.
    is_aside: bool,
    scope: Scope,
}

impl TaskSlot {
    /// Takes the future and the waker out of the slot for a poll.
    #[inline]
    fn take_future(&mut self) -> Option<(TaskFuture, Waker)> {
        if self.is_aside {
            return None;
        }
        let future = self.future.take()?;
        Some((
            future,
            self.waker
                .take()
                .expect("a task that is not polled must have its waker"),
        ))
    }
}

impl Executor {
    /// Creates a task. It is polled after all tasks that are ready now.
    pub(crate) fn spawn(&self, scope: Scope, future: TaskFuture) -> TaskId {
        let mut tasks = self.tasks.borrow_mut();
        let index = tasks.take_free_slot();
        let slot = &mut tasks.slots[index as usize];
        slot.future = Some(future);
        slot.scope = scope;
        slot.node.push();
        TaskId(index)
    }

    /// Drops the future of a task that has not ended and is not being polled.
    pub(crate) fn cancel(&self, task: TaskId) {
        let future = self.tasks.borrow_mut().vacate(task.0);
        // Dropped after the borrow: a destructor may spawn tasks.
        drop(future);
    }

    /// Excludes all present tasks from polling. The tasks keep their values.
    pub(crate) fn set_aside(&self) {
        let mut tasks = self.tasks.borrow_mut();
        tasks
            .slots
            .iter_mut()
            .for_each(|slot| slot.is_aside = slot.future.is_some());
    }

    /// Drops all futures, also the futures that destructors spawn.
    pub(crate) fn clear(&self) {
        // A loop over indices would miss slots that destructors add or fill again.
        let next = || {
            self.tasks
                .borrow_mut()
                .slots
                .iter_mut()
                .find_map(|slot| slot.future.take())
        };
        while let Some(future) = next() {
            drop(future);
        }
    }

    /// Polls the task that has been ready the longest, after `begin` was called with its scope.
    /// Returns false if no task was ready.
    pub(crate) fn poll_next(&self, begin: impl FnOnce(Scope)) -> bool {
        let Some((index, future, waker)) = self.tasks.borrow_mut().take_ready(begin) else {
            return false;
        };
        let future = self.poll(index, future, &waker);
        self.tasks.borrow_mut().put_back(index, future, waker);
        true
    }

    /// Polls a future that is not in its slot. Returns the future unless it has ended.
    #[inline]
    fn poll<F>(&self, index: u32, mut future: Pin<Box<F>>, waker: &Waker) -> Option<Pin<Box<F>>>
    where
        F: Future<Output = ()> + ?Sized,
    {
        self.polled.set((index, waker));
        let pending = future
            .as_mut()
            .poll(&mut task::Context::from_waker(waker))
            .is_pending();
        self.polled.set((NONE, ptr::null()));
        // A future that has ended is dropped here, outside of any borrow: a destructor may spawn.
        pending.then_some(future)
    }

    /// Wakes a task or another waker.
    pub(crate) fn wake(&self, waiter: Waiter) {
        match waiter {
            Waiter::Task(TaskId(index)) => self.tasks.borrow().slots[index as usize].node.push(),
            Waiter::Other(waker) => waker.wake(),
        }
    }

    /// Returns true if a task may be ready.
    pub(crate) fn has_ready(&self) -> bool {
        let tasks = self.tasks.borrow();
        !tasks.ready.is_empty() || !tasks.woken.is_empty()
    }
}

/// Fast paths: see [`fast_path`](crate::runtime::fast_path).
impl Executor {
    /// Polls `future` at once, without a slot. Creates a task only if the future has not ended.
    #[inline]
    pub(crate) fn start(
        &self,
        scope: Scope,
        future: Pin<Box<impl Future<Output = ()> + 'static>>,
    ) -> Option<TaskId> {
        let spare = self.spare.borrow();
        let pending = self.poll(spare.0, future, &spare.1)?;
        drop(spare);
        Some(self.keep(scope, pending))
    }

    /// Moves a future that was polled with the spare waker into the spare slot.
    #[inline(never)]
    fn keep(&self, scope: Scope, future: TaskFuture) -> TaskId {
        let mut tasks = self.tasks.borrow_mut();
        let (index, waker) = self.spare.replace(tasks.take_free_waker());
        tasks.slots[index as usize].scope = scope;
        tasks.put_back(index, Some(future), waker);
        TaskId(index)
    }

    /// Polls a task past the queue. Returns false if the task cannot be polled.
    ///
    /// The caller must know that no other task is ready.
    pub(crate) fn poll_now(&self, TaskId(index): TaskId, begin: impl FnOnce(Scope)) -> bool {
        let Some((future, waker)) = self.tasks.borrow_mut().take_future(index, begin) else {
            return false;
        };
        let future = self.poll(index, future, &waker);
        self.tasks.borrow_mut().put_back(index, future, waker);
        true
    }

    /// Returns true while [`Executor::start`] polls a future, which is not a task yet.
    pub(crate) fn is_starting(&self) -> bool {
        let (polled, _) = self.polled.get();
        polled == self.spare.borrow().0
    }

    /// Returns the waiter of `waker`: the polled task if `waker` has the address of the task's
    /// waker, otherwise a clone of `waker`.
    ///
    /// The comparison by address can only miss: a combinator that passes on a clone of the task's
    /// waker gets a clone again, which wakes the same task.
    pub(crate) fn waiter(&self, waker: &Waker) -> Waiter {
        match self.polled.get() {
            (index, polled) if ptr::eq(polled, waker) => Waiter::Task(TaskId(index)),
            _ => Waiter::Other(waker.clone()),
        }
    }
}

impl TaskTable {
    fn take_free_slot(&mut self) -> u32 {
        match self.free.pop() {
            Some(index) => index,
            None => self.add_slot(),
        }
    }

    fn take_free_waker(&mut self) -> (u32, Waker) {
        let index = self.take_free_slot();
        let waker = self.slots[index as usize].waker.take();
        (index, waker.expect("a free slot must have its waker"))
    }

    #[cold]
    fn add_slot(&mut self) -> u32 {
        let index = u32::try_from(self.slots.len())
            .ok()
            .filter(|index| *index != NONE)
            .expect("fewer than 2^32 tasks must exist");
        let node = Arc::new(WakeNode {
            index,
            queued: AtomicBool::new(false),
            next: AtomicU32::new(NONE),
            woken: Arc::clone(&self.woken),
        });
        let waker = Some(Waker::from(Arc::clone(&node)));
        self.slots.push(TaskSlot {
            node,
            waker,
            future: None,
            is_aside: false,
            scope: Scope::NONE,
        });
        index
    }

    fn vacate(&mut self, index: u32) -> Option<TaskFuture> {
        let slot = &mut self.slots[index as usize];
        slot.is_aside = false;
        let future = slot.future.take();
        if future.is_some() {
            self.free.push(index);
        }
        future
    }

    fn take_ready(&mut self, begin: impl FnOnce(Scope)) -> Option<(u32, TaskFuture, Waker)> {
        loop {
            if self.ready.is_empty() {
                self.take_woken();
            }
            let index = self.ready.pop()?;
            let slot = &mut self.slots[index as usize];
            // Before the poll, so that a wake during the poll queues the task again.
            slot.node.queued.store(false, Ordering::Release);
            if let Some((future, waker)) = slot.take_future() {
                begin(slot.scope);
                return Some((index, future, waker));
            }
        }
    }

    fn take_future(
        &mut self,
        index: u32,
        begin: impl FnOnce(Scope),
    ) -> Option<(TaskFuture, Waker)> {
        let slot = &mut self.slots[index as usize];
        let taken = slot.take_future()?;
        begin(slot.scope);
        Some(taken)
    }

    fn put_back(&mut self, index: u32, future: Option<TaskFuture>, waker: Waker) {
        let slot = &mut self.slots[index as usize];
        slot.waker = Some(waker);
        slot.future = future;
        if slot.future.is_none() {
            self.free.push(index);
        }
    }

    /// Moves the woken slots to `ready`, which is empty. Both lists begin with the youngest slot.
    fn take_woken(&mut self) {
        let mut index = self.woken.head.swap(NONE, Ordering::Acquire);
        while index != NONE {
            self.ready.push(index);
            index = self.slots[index as usize].node.next.load(Ordering::Relaxed);
        }
    }
}

/// Head of the list of woken slots, the last woken first.
struct WokenList {
    head: AtomicU32,
}

impl Default for WokenList {
    fn default() -> Self {
        WokenList {
            head: AtomicU32::new(NONE),
        }
    }
}

impl WokenList {
    fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed) == NONE
    }
}

/// Target of a waker: the link of one slot in the list of woken slots.
struct WakeNode {
    index: u32,
    /// True while the slot is in the list or in `ready`. The thread that sets it owns `next`.
    queued: AtomicBool,
    next: AtomicU32,
    woken: Arc<WokenList>,
}

impl WakeNode {
    fn push(&self) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut head = self.woken.head.load(Ordering::Relaxed);
        loop {
            self.next.store(head, Ordering::Relaxed);
            // Only the executor removes slots, and all at once. So an unchanged head means an
            // unchanged list, without the ABA problem of other lock-free stacks.
            match self.woken.head.compare_exchange_weak(
                head,
                self.index,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(found) => head = found,
            }
        }
    }
}

impl Wake for WakeNode {
    fn wake(self: Arc<Self>) {
        self.push();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.push();
    }
}
