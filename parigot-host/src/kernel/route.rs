//! Where the calls to a required service go: to its one instance, or to the least busy of several.

use std::cell::Cell;
use std::sync::Arc;

use crate::kernel::index::InstanceIndex;
use crate::start::graph::Target;

/// Where calls to a required service go.
pub(crate) enum Route {
    One(Callee),
    /// To several instances, of one guest or of several.
    Many(Pool),
}

/// An instance that exports a required service.
pub(crate) struct Callee {
    pub(crate) index: InstanceIndex,
    /// The service's place among its exports.
    pub(crate) service: u32,
    /// Its methods, by the caller's place of them; `None` where it lacks one.
    pub(crate) methods: Arc<[Option<Target>]>,
}

/// Several of them, with the same number of methods.
pub(crate) struct Pool {
    pub(crate) callees: Vec<Callee>,
    /// Where the next search begins, so that those which are equally busy take turns.
    next: Cell<usize>,
}

impl Route {
    /// A link to at least one callee, of the caller at that place.
    pub(crate) fn new(mut callees: Vec<Callee>, caller: InstanceIndex) -> Self {
        match callees.pop() {
            Some(only) if callees.is_empty() => Route::One(only),
            last => {
                callees.extend(last);
                // Callers that make few calls do not all begin with the same callee.
                let next = Cell::new(caller % callees.len().max(1));
                Route::Many(Pool { callees, next })
            }
        }
    }

    /// How many methods the caller has declared.
    pub(crate) fn methods(&self) -> usize {
        match self {
            Route::One(callee) => callee.methods.len(),
            Route::Many(pool) => pool
                .callees
                .first()
                .map_or(0, |callee| callee.methods.len()),
        }
    }
}

impl Pool {
    /// Returns the callee with the lowest load, among the callees that have the method and take
    /// calls. `load` returns the number of calls that an instance serves, or `None` if the
    /// instance takes no calls.
    pub(crate) fn least_busy(
        &self,
        method: usize,
        load: impl Fn(InstanceIndex) -> Option<usize>,
    ) -> Option<&Callee> {
        let callees = self.callees.len();
        let mut chosen = None;
        for step in 0..callees {
            let at = (self.next.get() + step) % callees;
            let callee = &self.callees[at];
            if callee.methods[method].is_none() {
                continue;
            }
            let Some(load) = load(callee.index) else {
                continue;
            };
            // The first of several equal loads wins, so that equal callees take turns.
            if chosen.is_none_or(|(least, _)| load < least) {
                chosen = Some((load, at));
            }
        }
        let (_, at) = chosen?;
        self.next.set((at + 1) % callees);
        Some(&self.callees[at])
    }
}
