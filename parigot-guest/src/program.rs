//! Programs: guests with a `main` that ends.

use alloc::boxed::Box;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;

use parigot_abi::Frame;

use crate::context::Context;
use crate::error::Error;
use crate::exit::Exit;
use crate::runtime::definition::Definition;
use crate::runtime::executor::TaskId;
use crate::runtime::guest::{Guest, Role};
use crate::runtime::scope::Scope;
use crate::serve::Incoming;
use crate::service_info::{Requirement, Service};
use crate::stdio;

impl Definition {
    /// Defines a guest that runs `main` and exits.
    pub fn program<F>(main: fn(Context) -> F, requires: &'static [Requirement]) -> Self
    where
        F: Future<Output = Result<Exit, Error>> + 'static,
    {
        Definition {
            requires,
            role: Box::new(ProgramRole {
                main,
                task: OnceCell::new(),
            }),
        }
    }
}

/// Role of a guest that runs a `main`.
struct ProgramRole<F> {
    main: fn(Context) -> F,
    task: OnceCell<TaskId>,
}

impl<F: Future<Output = Result<Exit, Error>> + 'static> Role for ProgramRole<F> {
    fn exports(&self) -> Vec<&'static Service> {
        Vec::new()
    }

    fn start(&self, guest: &Rc<Guest>) {
        let main = self.main;
        let cx = Context::new(Rc::clone(guest));
        let task = guest.spawn(Scope::NONE, async move {
            match main(cx.clone()).await {
                Ok(exit) => cx.guest.exit(exit, String::new()),
                // The reader has read all it wants, so nothing has failed.
                Err(error) if stdio::is_closed(&error) => {
                    cx.guest.exit(Exit::SUCCESS, String::new())
                }
                // The host logs the reason.
                Err(error) => cx.guest.exit(Exit::FAILURE, format!("{error:#}")),
            };
        });
        self.task.get_or_init(|| task);
    }

    fn launched(&self, guest: &Rc<Guest>) {
        guest.io.confirm_launch();
    }

    fn dispatch(&self, guest: &Rc<Guest>, frame: &Frame<'_>) {
        Incoming::new(guest, frame).unimplemented();
    }

    fn stop(&self, guest: &Rc<Guest>) {
        if let Some(task) = self.task.get() {
            guest.tasks.executor.cancel(*task);
        }
        guest.exit(Exit::SUCCESS, String::new());
    }
}
