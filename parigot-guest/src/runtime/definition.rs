//! The definition of a guest, which the macros write.

use alloc::boxed::Box;
use alloc::rc::Rc;

use crate::runtime::guest::{Guest, Role};
use crate::service_info::Requirement;

/// A guest that can be opened: see [`turn::open`](crate::turn::open).
///
/// [`service!`](crate::service) and [`#[program]`](crate::program) create one.
pub struct Definition {
    pub(crate) requires: &'static [Requirement],
    pub(crate) role: Box<dyn Role>,
}

impl Definition {
    /// Creates a guest.
    pub(crate) fn open(self) -> Rc<Guest> {
        Guest::new(self.requires, self.role)
    }
}
