//! Key-value store: [`Kv`].
//!
//! ```
//! # mod visits {
//! use parigot_guest::kv::{Kv, KvClient};
//! use parigot_guest::{Context, Exit, info};
//!
//! #[parigot_guest::program(requires(KvClient))]
//! async fn main(cx: Context) -> Result<Exit, parigot_guest::Error> {
//!     cx.launch().await?;
//!     let kv = Kv::locate(&cx)?;
//!     let last = kv.get("last").await?.entry;
//!     if let Some(last) = last {
//!         info!(cx, "the last visit has the revision {}", last.revision);
//!     }
//!     kv.set("last", "today").await?;
//!     Ok(Exit::SUCCESS)
//! }
//! # }
//! # fn main() {}
//! ```
//!
//! The deployment declares the store, and grants it to the guest:
//!
//! ```toml
//! [provider.sessions]
//! kind = "kv"
//! path = "sessions.db"
//!
//! [program.visits]
//! wasm = "build/visits.wasm"
//! providers = ["sessions"]
//! ```
//!
//! [`v1`] has the messages of the service `parigot.kv.v1.Kv`, and the limits of keys and values.

mod client;
#[rustfmt::skip]
mod generated;
mod scan;
#[cfg(all(feature = "std", not(target_family = "wasm")))]
#[doc(hidden)]
pub mod store;
mod typed;

pub use client::{Batch, Delete, Kv, Set};
pub use generated::parigot::kv::v1;
pub use scan::Scan;
pub use typed::{Typed, UPDATE_ATTEMPTS_MAX};
pub use v1::{Entry, KvClient, KvErr};
