//! The event loop: tasks, and the queue of those that are ready.
//!
//! A task lives in a slot; a slot keeps its waker when its task is done, so that a new task costs one box. A waker must be
//! `Send` and `Sync` although a guest has one thread, hence the queue it pushes to is lock-free: a list of slots, linked
//! through the wakers themselves, which the executor takes as a whole. Where there are no threads its atomics are plain loads
//! and stores.
//!
//! A waker that outlives its task wakes whichever task has the slot then. Futures are polled for no reason now and then
//! anyway, so that is allowed.

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

/// What a task runs.
pub(crate) type Future = Pin<Box<dyn core::future::Future<Output = ()>>>;

/// Which task. It means nothing once the task is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TaskId(u32);

impl TaskId {
    pub(crate) fn from_index(index: u32) -> Self {
        TaskId(index)
    }

    /// The task's slot; never [`u32::MAX`].
    pub(crate) fn index(self) -> u32 {
        self.0
    }
}

/// Who is to be woken.
pub(crate) enum Waiter {
    /// A task of the guest's own executor: neither a count to keep nor a function to call by its address.
    Task(TaskId),
    /// Whoever made that waker: a combinator that polls its parts on its own.
    Other(Waker),
}

/// All tasks of a guest.
pub(crate) struct Executor {
    tasks: RefCell<Tasks>,
    /// The task that is being polled, and where its waker stands meanwhile.
    polled: Cell<(u32, *const Waker)>,
    /// A slot for the next task that is started, and its waker. Most of those are done at once, and leave it as it is.
    spare: RefCell<(u32, Waker)>,
}

impl Default for Executor {
    fn default() -> Self {
        let mut tasks = Tasks::default();
        let spare = RefCell::new(tasks.take_free_waker());
        Executor {
            tasks: RefCell::new(tasks),
            polled: Cell::new((NONE, ptr::null())),
            spare,
        }
    }
}

#[derive(Default)]
struct Tasks {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Slots that are ready, the oldest last. Those in `woken` are younger.
    ready: Vec<u32>,
    woken: Arc<Woken>,
}

struct Slot {
    node: Arc<Node>,
    /// Elsewhere while the task is polled, or the slot is spare.
    waker: Option<Waker>,
    /// Elsewhere while the task is polled; else `None` says that the slot is free.
    future: Option<Future>,
    /// Its task is not polled any more.
    is_aside: bool,
    scope: Scope,
}

impl Slot {
    /// What is to be polled, if it is, and its waker.
    #[inline]
    fn take_future(&mut self) -> Option<(Future, Waker)> {
        if self.is_aside {
            return None;
        }
        let future = self.future.take()?;
        Some((
            future,
            self.waker
                .take()
                .expect("a task that is not polled has its waker"),
        ))
    }
}

impl Executor {
    /// Makes a task of `future`. It is polled after all tasks that are ready by now.
    pub(crate) fn spawn(&self, scope: Scope, future: Future) -> TaskId {
        let mut tasks = self.tasks.borrow_mut();
        let index = tasks.take_free_slot();
        let slot = &mut tasks.slots[index as usize];
        slot.future = Some(future);
        slot.scope = scope;
        slot.node.push();
        TaskId(index)
    }

    /// Polls `future` at once, and makes a task of it unless it is done.
    #[inline]
    pub(crate) fn start(
        &self,
        scope: Scope,
        future: Pin<Box<impl core::future::Future<Output = ()> + 'static>>,
    ) -> Option<TaskId> {
        let spare = self.spare.borrow();
        let pending = self.poll(spare.0, future, &spare.1)?;
        drop(spare);
        Some(self.keep(scope, pending))
    }

    /// Makes a task of a future that was polled for the slot that is spare.
    #[inline(never)]
    fn keep(&self, scope: Scope, future: Future) -> TaskId {
        let mut tasks = self.tasks.borrow_mut();
        let (index, waker) = self.spare.replace(tasks.take_free_waker());
        tasks.slots[index as usize].scope = scope;
        tasks.put_back(index, Some(future), waker);
        TaskId(index)
    }

    /// Drops the future of a task that is not done and not being polled.
    pub(crate) fn cancel(&self, task: TaskId) {
        let future = self.tasks.borrow_mut().vacate(task.0);
        // Dropped after the borrow: what it owns may spawn.
        drop(future);
    }

    /// Polls none of the tasks any more that there are by now. They keep what they own.
    pub(crate) fn set_aside(&self) {
        let mut tasks = self.tasks.borrow_mut();
        tasks
            .slots
            .iter_mut()
            .for_each(|slot| slot.is_aside = slot.future.is_some());
    }

    /// Drops all futures.
    pub(crate) fn clear(&self) {
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

    /// Polls the task that has been ready the longest, once `begin` knows whom it works for. Says whether there was one.
    pub(crate) fn poll_next(&self, begin: impl FnOnce(Scope)) -> bool {
        let Some((index, future, waker)) = self.tasks.borrow_mut().take_ready(begin) else {
            return false;
        };
        let future = self.poll(index, future, &waker);
        self.tasks.borrow_mut().put_back(index, future, waker);
        true
    }

    /// Polls a task that is not ready, as though it were and none else. Says whether it could be polled.
    pub(crate) fn poll_now(&self, TaskId(index): TaskId, begin: impl FnOnce(Scope)) -> bool {
        let Some((future, waker)) = self.tasks.borrow_mut().take_future(index, begin) else {
            return false;
        };
        let future = self.poll(index, future, &waker);
        self.tasks.borrow_mut().put_back(index, future, waker);
        true
    }

    /// Polls a future that is not in its slot, and returns it unless it is done.
    #[inline]
    fn poll<F>(&self, index: u32, mut future: Pin<Box<F>>, waker: &Waker) -> Option<Pin<Box<F>>>
    where
        F: core::future::Future<Output = ()> + ?Sized,
    {
        self.polled.set((index, waker));
        let pending = future
            .as_mut()
            .poll(&mut task::Context::from_waker(waker))
            .is_pending();
        self.polled.set((NONE, ptr::null()));
        // One that is done is dropped here, where nothing is borrowed: what it owns may spawn.
        pending.then_some(future)
    }

    /// Whom `waker` wakes.
    pub(crate) fn waiter(&self, waker: &Waker) -> Waiter {
        match self.polled.get() {
            (index, polled) if ptr::eq(polled, waker) => Waiter::Task(TaskId(index)),
            _ => Waiter::Other(waker.clone()),
        }
    }

    pub(crate) fn wake(&self, waiter: Waiter) {
        match waiter {
            Waiter::Task(TaskId(index)) => self.tasks.borrow().slots[index as usize].node.push(),
            Waiter::Other(waker) => waker.wake(),
        }
    }

    /// Whether a task may be ready.
    pub(crate) fn has_ready(&self) -> bool {
        let tasks = self.tasks.borrow();
        !tasks.ready.is_empty() || !tasks.woken.is_empty()
    }
}

impl Tasks {
    fn take_free_slot(&mut self) -> u32 {
        match self.free.pop() {
            Some(index) => index,
            None => self.add_slot(),
        }
    }

    fn take_free_waker(&mut self) -> (u32, Waker) {
        let index = self.take_free_slot();
        let waker = self.slots[index as usize].waker.take();
        (index, waker.expect("a slot that is free has its waker"))
    }

    #[cold]
    fn add_slot(&mut self) -> u32 {
        let index = u32::try_from(self.slots.len())
            .ok()
            .filter(|index| *index != NONE)
            .expect("fewer than 2^32 tasks");
        let node = Arc::new(Node {
            index,
            queued: AtomicBool::new(false),
            next: AtomicU32::new(NONE),
            woken: Arc::clone(&self.woken),
        });
        let waker = Some(Waker::from(Arc::clone(&node)));
        self.slots.push(Slot {
            node,
            waker,
            future: None,
            is_aside: false,
            scope: Scope::NOBODY,
        });
        index
    }

    fn vacate(&mut self, index: u32) -> Option<Future> {
        let slot = &mut self.slots[index as usize];
        slot.is_aside = false;
        let future = slot.future.take();
        if future.is_some() {
            self.free.push(index);
        }
        future
    }

    fn take_ready(&mut self, begin: impl FnOnce(Scope)) -> Option<(u32, Future, Waker)> {
        loop {
            if self.ready.is_empty() {
                self.take_woken();
            }
            let index = self.ready.pop()?;
            let slot = &mut self.slots[index as usize];
            // From here on a wake queues it again.
            slot.node.queued.store(false, Ordering::Release);
            if let Some((future, waker)) = slot.take_future() {
                begin(slot.scope);
                return Some((index, future, waker));
            }
        }
    }

    fn take_future(&mut self, index: u32, begin: impl FnOnce(Scope)) -> Option<(Future, Waker)> {
        let slot = &mut self.slots[index as usize];
        let taken = slot.take_future()?;
        begin(slot.scope);
        Some(taken)
    }

    fn put_back(&mut self, index: u32, future: Option<Future>, waker: Waker) {
        let slot = &mut self.slots[index as usize];
        slot.waker = Some(waker);
        slot.future = future;
        if slot.future.is_none() {
            self.free.push(index);
        }
    }

    /// Moves the woken slots to the ready ones, of which there are none. Both lists begin with the youngest.
    fn take_woken(&mut self) {
        let mut index = self.woken.head.swap(NONE, Ordering::Acquire);
        while index != NONE {
            self.ready.push(index);
            index = self.slots[index as usize].node.next.load(Ordering::Relaxed);
        }
    }
}

/// The head of a list of slots that were woken, the last one first.
struct Woken {
    head: AtomicU32,
}

impl Default for Woken {
    fn default() -> Self {
        Woken {
            head: AtomicU32::new(NONE),
        }
    }
}

impl Woken {
    fn is_empty(&self) -> bool {
        self.head.load(Ordering::Relaxed) == NONE
    }
}

/// What a waker points to: one slot's link in the list of woken slots.
struct Node {
    index: u32,
    /// Whether it is in the list, or among the executor's ready slots. Whoever sets it owns `next`.
    queued: AtomicBool,
    next: AtomicU32,
    woken: Arc<Woken>,
}

impl Node {
    fn push(&self) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut head = self.woken.head.load(Ordering::Relaxed);
        loop {
            self.next.store(head, Ordering::Relaxed);
            // Only the executor removes, and all at once, so an unchanged head is an unchanged list.
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

impl Wake for Node {
    fn wake(self: Arc<Self>) {
        self.push();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.push();
    }
}
