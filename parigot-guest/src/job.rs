//! Jobs: work that takes longer than a call. One call starts a job and returns its id; later calls
//! query the job by that id.
//!
//! A method must end before its deadline. [`Jobs`] runs longer work behind the methods, and keeps
//! its results for later calls. Ids have a type of the service, which `parigot boilerplateid`
//! generates:
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
//!         self.orders.start(baking).ok() // `None` if there are too many orders
//!     }
//!
//!     /// Behind the method `Check`.
//!     fn check(&self, ticket: TicketId) -> &'static str {
//!         match self.orders.poll(ticket) {
//!             Job::Running => "baking",
//!             Job::Done(_pizza) => "ready",
//!             Job::Unknown => "never ordered, or discarded by now",
//!         }
//!     }
//! }
//! ```
//!
//! A job belongs to no call: it inherits no deadline and is not cancelled with the call that
//! started it. A panic in a job ends the guest, as in a handler. When the guest ends, its jobs are
//! lost, and a restarted service does not know their ids. Work that may fail returns a `Result`.

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

/// Default of [`Jobs::at_most`].
pub const AT_MOST_DEFAULT: usize = 1024;

/// Default of [`Jobs::keeping`].
pub const KEEPING_DEFAULT: Duration = Duration::from_secs(300);

/// Jobs with ids of type `I` and results of type `T`. Cheap to clone.
///
/// Dropping it has no effect on running jobs.
pub struct Jobs<I, T> {
    table: Rc<JobTable<T>>,
    at_most: usize,
    keeping: Duration,
    id: PhantomData<fn() -> I>,
}

struct JobTable<T> {
    cx: Context,
    /// All jobs, by the keys of their ids.
    entries: RefCell<BTreeMap<u128, Entry<T>>>,
    /// Ended jobs, by the moment at which their results are discarded.
    ended: RefCell<BTreeSet<(Instant, u128)>>,
    /// True while a task runs that discards old results.
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

/// State of a job.
pub enum Job<T> {
    /// The job has not ended.
    Running,
    /// The job has ended with this result. Until the result is discarded, each query returns it, so
    /// that a lost answer can be queried again.
    Done(Rc<T>),
    /// No job has this id: it never existed, was cancelled, its result was discarded, or the guest
    /// was restarted.
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

/// Failure to start a job: the limit of jobs is reached. Kept results count as jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyJobs {
    /// Largest number of jobs.
    pub at_most: usize,
}

impl fmt::Display for TooManyJobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} jobs run, which is the limit", self.at_most)
    }
}

impl StdError for TooManyJobs {}

impl<I: IdType, T: 'static> Jobs<Id<I>, T> {
    /// Creates an empty table of at most [`AT_MOST_DEFAULT`] jobs, whose results are kept for
    /// [`KEEPING_DEFAULT`].
    pub fn new(cx: &Context) -> Self {
        let table = Rc::new(JobTable {
            cx: cx.background(),
            entries: RefCell::default(),
            ended: RefCell::default(),
            is_swept: Cell::default(),
        });
        Jobs {
            table,
            at_most: AT_MOST_DEFAULT,
            keeping: KEEPING_DEFAULT,
            id: PhantomData,
        }
    }

    /// Sets the largest number of jobs. Kept results count as jobs.
    #[must_use]
    pub fn at_most(self, at_most: usize) -> Self {
        Jobs { at_most, ..self }
    }

    /// Sets the time for which results are kept after the end of a job, on the guest's clock.
    #[must_use]
    pub fn keeping(self, keeping: Duration) -> Self {
        Jobs { keeping, ..self }
    }

    /// Starts a job. Returns its id at once, before any of the work has run.
    ///
    /// # Errors
    ///
    /// If there are too many jobs. Then the work is dropped.
    pub fn start(&self, work: impl Future<Output = T> + 'static) -> Result<Id<I>, TooManyJobs> {
        self.table.discard_old();
        if self.table.entries.borrow().len() >= self.at_most {
            return Err(TooManyJobs {
                at_most: self.at_most,
            });
        }
        let id: Id<I> = self.table.cx.random().id();
        let key = id.key();
        let table = Rc::clone(&self.table);
        let task = self.table.cx.guest.spawn(Scope::NONE, async move {
            let result = work.await;
            table.end(key, result);
        });
        let entry = Entry::Running {
            task,
            waiting: Vec::new(),
            keeping: self.keeping,
        };
        self.table.entries.borrow_mut().insert(key, entry);
        Ok(id)
    }

    /// Returns the state of a job.
    pub fn poll(&self, id: Id<I>) -> Job<T> {
        self.table.state(id.key(), None)
    }

    /// Waits until a job has ended, at most for `limit`. Returns its state.
    pub fn wait(&self, id: Id<I>, limit: Duration) -> impl Future<Output = Job<T>> + use<I, T> {
        let table = Rc::clone(&self.table);
        let ended = poll_fn(
            move |task| match table.state(id.key(), Some(task.waker())) {
                Job::Running => Poll::Pending,
                ended => Poll::Ready(ended),
            },
        );
        let limited = timeout(&self.table.cx, limit, ended);
        async move { limited.await.unwrap_or(Job::Running) }
    }

    /// Drops the work of a job, or discards its result. Returns false if there is no such job.
    pub fn cancel(&self, id: Id<I>) -> bool {
        let entry = self.table.entries.borrow_mut().remove(&id.key());
        match entry {
            Some(Entry::Running { task, waiting, .. }) => {
                self.table.cx.guest.tasks.executor.cancel(task);
                waiting.into_iter().for_each(Waker::wake);
                true
            }
            Some(Entry::Done { until, .. }) => {
                self.table.ended.borrow_mut().remove(&(until, id.key()));
                true
            }
            None => false,
        }
    }
}

impl<T: 'static> JobTable<T> {
    /// Returns the state of a job. If the job is running, `waker` is woken at its end.
    fn state(&self, key: u128, waker: Option<&Waker>) -> Job<T> {
        self.discard_old();
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

    /// Keeps the result of a job, unless the job has cancelled itself.
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
        let waiting = core::mem::take(waiting);
        let until = self.cx.now() + *keeping;
        *entry = Entry::Done {
            result: Rc::new(result),
            until,
        };
        drop(entries);
        self.ended.borrow_mut().insert((until, key));
        waiting.into_iter().for_each(Waker::wake);
        self.keep_swept();
    }

    /// Discards results that were kept long enough.
    fn discard_old(&self) {
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
            // Dropped after the borrow: the destructor of a result is the user's code.
            drop(entry);
        }
    }

    /// Starts a task that discards results even if no query comes, unless it runs. The task ends
    /// with the last result, so that an idle guest has no timer.
    fn keep_swept(self: &Rc<Self>) {
        if self.is_swept.replace(true) {
            return;
        }
        let table = Rc::clone(self);
        self.cx.spawn(async move {
            let next = || table.ended.borrow().first().map(|(until, _)| *until);
            while let Some(until) = next() {
                table.cx.sleep(until - table.cx.now()).await;
                table.discard_old();
            }
            table.is_swept.set(false);
        });
    }
}

/// Creates a second handle of the same jobs.
impl<I, T> Clone for Jobs<I, T> {
    fn clone(&self) -> Self {
        Jobs {
            table: Rc::clone(&self.table),
            at_most: self.at_most,
            keeping: self.keeping,
            id: PhantomData,
        }
    }
}

impl<I, T> fmt::Debug for Jobs<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobs")
            .field("count", &self.table.entries.borrow().len())
            .finish_non_exhaustive()
    }
}
