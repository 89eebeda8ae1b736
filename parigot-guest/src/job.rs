//! Work that takes longer than a call: one call starts it and returns an id, others ask with that id how far it is.
//!
//! A method must not take long, and a deadline ends those that do. [`Jobs`] keeps what goes on behind a method, and its results for those who
//! ask for them later. Ids are of the service's own type, which `parigot boilerplateid` writes:
//!
//! ```no_run
//! # type TicketId = parigot_guest::id::Id<TicketIdType>;
//! # enum TicketIdType {}
//! # impl parigot_guest::id::IdType for TicketIdType {
//! #     const NAME: &'static str = "TicketId";
//! #     const PREFIX: &'static str = "tkt";
//! # }
//! # use std::time::Duration;
//! # use parigot_guest::{Context, NotReady, Ready};
//! use parigot_guest::job::{Job, Jobs};
//!
//! struct Kitchen {
//!     orders: Jobs<TicketId, String>,
//! }
//!
//! impl Ready for Kitchen {
//!     async fn ready(cx: &Context) -> Result<Self, NotReady> {
//!         Ok(Kitchen { orders: Jobs::new(cx) })
//!     }
//! }
//!
//! impl Kitchen {
//!     /// Behind the method `Order`: returns at once.
//!     fn order(&self, cx: &Context) -> Option<TicketId> {
//!         let cx = cx.background();
//!         let baking = async move {
//!             cx.sleep(Duration::from_secs(600)).await;
//!             "margherita".to_owned()
//!         };
//!         self.orders.start(baking).ok() // unless there are too many
//!     }
//!
//!     /// Behind the method `Check`.
//!     fn check(&self, ticket: TicketId) -> &'static str {
//!         match self.orders.poll(ticket) {
//!             Job::Running => "baking",
//!             Job::Done(_pizza) => "ready",
//!             Job::Unknown => "never ordered, or ready for so long that it was eaten",
//!         }
//!     }
//! }
//! ```
//!
//! Work belongs to no call: it inherits no deadline and is not cancelled with the call that has started it. A panic ends the guest, as in a handler;
//! then, and when the guest leaves, its jobs are gone, and the next life of a service does not know their ids. Work that may fail returns a `Result`.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::error::Error as StdError;
use core::fmt;
use core::future::poll_fn;
use core::marker::PhantomData;
use core::task::{Poll, Waker};
use core::time::Duration;

use crate::clock::Instant;
use crate::context::Context;
use crate::future::timeout;
use crate::runtime::executor::TaskId;
use crate::runtime::scope::Scope;
use parigot_abi::id::{Id, IdType};

/// How many jobs there may be unless [`Jobs::at_most`] says otherwise.
pub const AT_MOST_DEFAULT: usize = 1024;

/// How long results are kept unless [`Jobs::keeping`] says otherwise.
pub const KEEPING_DEFAULT: Duration = Duration::from_secs(300);

/// Jobs with ids of type `I` and results of type `T`. Cheap to clone.
///
/// Dropping it ends nothing: jobs go on.
pub struct Jobs<I, T> {
    shared: Rc<Shared<T>>,
    at_most: usize,
    keeping: Duration,
    id: PhantomData<fn() -> I>,
}

struct Shared<T> {
    cx: Context,
    /// By the keys of their ids.
    entries: RefCell<BTreeMap<u128, Entry<T>>>,
    /// Those that have ended, by when they are forgotten.
    ended: RefCell<BTreeSet<(Instant, u128)>>,
    /// There is a task that forgets them.
    is_swept: Cell<bool>,
}

enum Entry<T> {
    Running {
        task: TaskId,
        waiting: Vec<Waker>,
        keeping: Duration,
    },
    Done {
        result: Rc<T>,
        until: Instant,
    },
}

/// How far a job is.
pub enum Job<T> {
    /// It has not ended.
    Running,
    /// It has ended with this. Whoever asks again before it is forgotten gets it again, so an answer that was lost on its way costs nothing.
    Done(Rc<T>),
    /// There is no such job: there never was one of that id, it was cancelled, its result is forgotten, or the guest was made anew.
    Unknown,
}

impl<T: fmt::Debug> fmt::Debug for Job<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Job::Running => f.write_str("Running"),
            Job::Done(result) => f.debug_tuple("Done").field(result).finish(),
            Job::Unknown => f.write_str("Unknown"),
        }
    }
}

/// There are as many jobs as there may be, those counted whose results are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyJobs {
    /// How many there may be.
    pub at_most: usize,
}

impl fmt::Display for TooManyJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "there are {} jobs already, the most that there may be",
            self.at_most
        )
    }
}

impl StdError for TooManyJobs {}

impl<I: IdType, T: 'static> Jobs<Id<I>, T> {
    /// No jobs yet; [`AT_MOST_DEFAULT`] of them, whose results are kept for [`KEEPING_DEFAULT`].
    pub fn new(cx: &Context) -> Self {
        let (entries, ended, is_swept) = Default::default();
        let shared = Rc::new(Shared {
            cx: cx.background(),
            entries,
            ended,
            is_swept,
        });
        Jobs {
            shared,
            at_most: AT_MOST_DEFAULT,
            keeping: KEEPING_DEFAULT,
            id: PhantomData,
        }
    }

    /// The same jobs, of which there may be so many, those counted whose results are kept.
    #[must_use]
    pub fn at_most(self, at_most: usize) -> Self {
        Jobs { at_most, ..self }
    }

    /// The same jobs, whose results are kept for so long after their end, on the guest's clock.
    #[must_use]
    pub fn keeping(self, keeping: Duration) -> Self {
        Jobs { keeping, ..self }
    }

    /// Starts a job, and returns its id at once: nothing of the work has run by then.
    ///
    /// # Errors
    ///
    /// If there are too many; then the work is dropped.
    pub fn start(&self, work: impl Future<Output = T> + 'static) -> Result<Id<I>, TooManyJobs> {
        self.shared.forget_old();
        if self.shared.entries.borrow().len() >= self.at_most {
            return Err(TooManyJobs {
                at_most: self.at_most,
            });
        }
        let id: Id<I> = self.shared.cx.random().id();
        let (key, shared) = (id.key(), Rc::clone(&self.shared));
        let task = self.shared.cx.guest.spawn(Scope::NONE, async move {
            let result = work.await;
            shared.end(key, result);
        });
        let entry = Entry::Running {
            task,
            waiting: Vec::new(),
            keeping: self.keeping,
        };
        self.shared.entries.borrow_mut().insert(key, entry);
        Ok(id)
    }

    /// How far a job is.
    pub fn poll(&self, id: Id<I>) -> Job<T> {
        self.shared.look(id.key(), None)
    }

    /// How far a job is when it has ended, or when `limit` has passed.
    pub fn wait(&self, id: Id<I>, limit: Duration) -> impl Future<Output = Job<T>> + use<I, T> {
        let shared = Rc::clone(&self.shared);
        let ended = poll_fn(
            move |task| match shared.look(id.key(), Some(task.waker())) {
                Job::Running => Poll::Pending,
                ended => Poll::Ready(ended),
            },
        );
        let limited = timeout(&self.shared.cx, limit, ended);
        async move { limited.await.unwrap_or(Job::Running) }
    }

    /// Drops the work of a job, or forgets its result. Says whether there was such a job.
    pub fn cancel(&self, id: Id<I>) -> bool {
        let entry = self.shared.entries.borrow_mut().remove(&id.key());
        match entry {
            Some(Entry::Running { task, waiting, .. }) => {
                self.shared.cx.guest.tasks.executor.cancel(task);
                waiting.into_iter().for_each(Waker::wake);
                true
            }
            Some(Entry::Done { until, .. }) => {
                self.shared.ended.borrow_mut().remove(&(until, id.key()));
                true
            }
            None => false,
        }
    }
}

impl<T: 'static> Shared<T> {
    /// How far a job is; if it runs, `waker` is woken at its end.
    fn look(&self, key: u128, waker: Option<&Waker>) -> Job<T> {
        self.forget_old();
        match self.entries.borrow_mut().get_mut(&key) {
            Some(Entry::Running { waiting, .. }) => {
                if let Some(waker) = waker
                    && !waiting.iter().any(|known| known.will_wake(waker))
                {
                    waiting.push(waker.clone());
                }
                Job::Running
            }
            Some(Entry::Done { result, .. }) => Job::Done(Rc::clone(result)),
            None => Job::Unknown,
        }
    }

    /// Keeps the result of a job, unless it has cancelled itself.
    fn end(self: &Rc<Self>, key: u128, result: T) {
        let mut entries = self.entries.borrow_mut();
        let Some(entry) = entries.get_mut(&key) else {
            return;
        };
        let Entry::Running {
            waiting, keeping, ..
        } = entry
        else {
            unreachable!("a job ends once")
        };
        let (waiting, until) = (core::mem::take(waiting), self.cx.now() + *keeping);
        *entry = Entry::Done {
            result: Rc::new(result),
            until,
        };
        drop(entries);
        self.ended.borrow_mut().insert((until, key));
        waiting.into_iter().for_each(Waker::wake);
        self.keep_swept();
    }

    /// Forgets results that were kept long enough.
    fn forget_old(&self) {
        let now = self.cx.now();
        let old = || {
            let mut ended = self.ended.borrow_mut();
            if ended.first()?.0 <= now {
                ended.pop_first()
            } else {
                None
            }
        };
        while let Some((_, key)) = old() {
            let entry = self.entries.borrow_mut().remove(&key);
            drop(entry);
        }
    }

    /// Sees to it that results are forgotten when nobody asks any more. Without results there is no timer.
    fn keep_swept(self: &Rc<Self>) {
        if self.is_swept.replace(true) {
            return;
        }
        let shared = Rc::clone(self);
        self.cx.spawn(async move {
            let next = || shared.ended.borrow().first().map(|(until, _)| *until);
            while let Some(until) = next() {
                shared.cx.sleep(until - shared.cx.now()).await;
                shared.forget_old();
            }
            shared.is_swept.set(false);
        });
    }
}

/// Another handle on the same jobs.
impl<I, T> Clone for Jobs<I, T> {
    fn clone(&self) -> Self {
        Jobs {
            shared: Rc::clone(&self.shared),
            at_most: self.at_most,
            keeping: self.keeping,
            id: PhantomData,
        }
    }
}

impl<I, T> fmt::Debug for Jobs<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobs")
            .field("count", &self.shared.entries.borrow().len())
            .finish_non_exhaustive()
    }
}
