//! Creation of the value that implements a guest's services: by `Ready`, else by `Default`.
//!
//! A blanket `impl<S: Default> Ready for S` would make each `impl Ready` for a type with a
//! `Default` an error of coherence, whose text names neither trait as the one to remove. Here both
//! ways are implementations of [`Create`] with different parameters, so a type may have both.
//! `service!` chooses with a [`Choice`]. Nothing of the choice is left in the compiled guest.

use core::marker::PhantomData;

use crate::context::Context;
use crate::error::NotReady;
use crate::ready::Ready;

/// Creation by [`Ready::ready`].
#[derive(Default)]
pub struct ByReady;

/// Creation by [`Default::default`].
#[derive(Default)]
pub struct ByDefault;

/// Creation of a service in one of two ways, [`ByReady`] and [`ByDefault`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` implements neither `Default` nor `Ready`",
    note = "derive `Default` for it, or implement `parigot_guest::Ready`"
)]
pub trait Create<Way>: Sized + 'static {
    /// Creates the value.
    ///
    /// # Errors
    ///
    /// The reason why the services cannot be served.
    fn create(cx: &Context) -> impl Future<Output = Result<Self, NotReady>>;
}

#[diagnostic::do_not_recommend]
impl<S: Ready> Create<ByReady> for S {
    fn create(cx: &Context) -> impl Future<Output = Result<Self, NotReady>> {
        S::ready(cx)
    }
}

#[diagnostic::do_not_recommend]
impl<S: Default + 'static> Create<ByDefault> for S {
    async fn create(_: &Context) -> Result<Self, NotReady> {
        Ok(S::default())
    }
}

/// Chooses how an `S` is created: `(&&Choice::<S>::new()).way()`, with both traits in scope.
///
/// The compiler tries the method with the fewest dereferences first. That is the one of
/// [`PreferReady`], which exists only if `S` implements [`Ready`].
pub struct Choice<S>(PhantomData<S>);

impl<S> Choice<S> {
    /// Creates a choice.
    #[expect(
        clippy::new_without_default,
        reason = "only `service!` creates a choice"
    )]
    pub const fn new() -> Self {
        Choice(PhantomData)
    }
}

/// Choice of [`ByReady`].
pub trait PreferReady {
    /// Returns the way.
    fn way(&self) -> ByReady {
        ByReady
    }
}

impl<S: Ready> PreferReady for &Choice<S> {}

/// Choice of [`ByDefault`].
pub trait ElseDefault {
    /// Returns the way.
    fn way(&self) -> ByDefault {
        ByDefault
    }
}

impl<S> ElseDefault for Choice<S> {}
