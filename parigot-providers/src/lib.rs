//! Standard services of parigot, which a deployment declares as providers.
//!
//! | kind | service | engine |
//! |---|---|---|
//! | `kv` | `parigot.kv.v1.Kv`, a key-value store | [SQLite](kv) |
//!
//! The crate uses only the public trait [`Provider`], so a host of your own can have further kinds:
//!
//! ```
//! use parigot_host::Settings;
//!
//! let settings = Settings {
//!     providers: parigot_providers::all(),
//!     ..Settings::default()
//! };
//! ```

pub mod kv;

use std::sync::Arc;

use parigot_host::provider::Provider;

/// Returns all kinds of providers.
pub fn all() -> Vec<Arc<dyn Provider>> {
    vec![Arc::new(kv::Kv::default())]
}
