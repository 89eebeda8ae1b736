//! Callees of a required service: its one instance, or the least busy of several.

use std::cell::Cell;
use std::sync::Arc;

use crate::kernel::index::InstanceIndex;
use crate::start::graph::Target;

/// Destination of the calls to a required service.
pub(crate) enum Route {
    /// The only instance that exports the service.
    One(Callee),
    /// Several instances, of one guest or of several.
    Many(Pool),
}

/// Instance that exports a required service.
pub(crate) struct Callee {
    pub(crate) index: InstanceIndex,
    /// Index of the service among the exports of the instance.
    pub(crate) service: u32,
    /// Methods by their index in the caller's manifest; `None` for a method that the callee lacks.
    pub(crate) methods: Arc<[Option<Target>]>,
}

/// Several callees, with the same number of methods.
pub(crate) struct Pool {
    pub(crate) callees: Vec<Callee>,
    /// Index of the callee at which the next search begins, so that equally busy callees take
    /// turns. A `Cell` is enough, because only the worker that runs the caller uses the route.
    next: Cell<usize>,
}

impl Route {
    /// Creates the route of one caller to at least one callee.
    pub(crate) fn new(mut callees: Vec<Callee>, caller: InstanceIndex) -> Self {
        match callees.pop() {
            Some(only) if callees.is_empty() => Route::One(only),
            last => {
                callees.extend(last);
                // Callers begin at different callees. Else callers that make few calls would all
                // use the first callee.
                let next = Cell::new(caller % callees.len().max(1));
                Route::Many(Pool { callees, next })
            }
        }
    }

    /// Returns the number of methods that the caller has declared.
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
