//! The edge of parigot: clients from outside reach the guests of a deployment by Connect, gRPC,
//! gRPC-Web and JSON, all on one port.
//!
//! ```no_run
//! use parigot_host::{Settings, deployment::Deployment};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let deployment = Deployment::read("app.toml".as_ref())?;
//! let listeners = parigot_edge::bind(&deployment)?;
//! let mut running = parigot_host::start(&deployment, Settings::default())?;
//! let edge = listeners.serve(&mut running)?;
//! let outcome = running.wait();
//! edge.close();
//! std::process::exit(outcome.status.into());
//! # }
//! ```
//!
//! A request takes this way:
//!
//! ```text
//! listener → service → rpc → ServiceClient of the host → proxy → kernel → callee
//! ```
//!
//! | file | responsibility |
//! |---|---|
//! | `listener.rs` | sockets, connections and their limits, shutdown |
//! | `service.rs` | one HTTP request: health checks, cross-origin requests, forms, limit of calls |
//! | `cors.rs`, `form.rs` | cross-origin requests; requests without a content type |
//! | `rpc.rs` | the protocols; the only file that names types of the library for them |
//! | `api.rs`, `routes.rs` | state of an edge; methods by path |
//! | `metadata.rs` | request headers, response headers and trailers |
//! | `failure.rs` | failed calls as clients see them |
//! | `health.rs`, `reflection/` | services of the edge itself |
//!
//! The threads of the edge exist only if the deployment has an edge. The kernel has no async
//! runtime: see [`parigot_host::client`].

mod api;
mod body;
mod cors;
mod failure;
mod form;
mod health;
mod listener;
mod metadata;
mod reflection;
mod routes;
mod rpc;
mod service;

pub use listener::{BindError, Edge, Listeners, bind};
