//! Output of `parigot boilerplateid`, compiled. The end-to-end test `ids` compares the files with
//! the output, or rewrites them.
//!
//! Ids of one type have the same Rust type,
//!
//! ```
//! use golden::ids::order::OrderId;
//! use golden::ids::ticket::TicketId;
//!
//! let tickets: [TicketId; 2] = [TicketId::EMPTY, TicketId::ZERO];
//! let orders: [OrderId; 2] = [OrderId::EMPTY, OrderId::ZERO];
//! ```
//!
//! and ids of two types do not compile together:
//!
//! ```compile_fail,E0308
//! use golden::ids::order::OrderId;
//! use golden::ids::ticket::TicketId;
//!
//! let tickets: [TicketId; 2] = [TicketId::EMPTY, OrderId::ZERO];
//! ```
//!
//! ```compile_fail,E0308
//! use golden::ids::order::OrderId;
//! use golden::ids::ticket::TicketId;
//!
//! assert!(TicketId::EMPTY != OrderId::ZERO);
//! ```

/// Ids of orders.
pub mod order;
/// Ids of tickets.
pub mod ticket;
