//! What `parigot boilerplateid` writes, compiled. The end-to-end test `ids` compares it with what is written, or writes it.
//!
//! Ids of one type are ids of one type,
//!
//! ```
//! use golden::ids::order::OrderId;
//! use golden::ids::ticket::TicketId;
//!
//! let tickets: [TicketId; 2] = [TicketId::EMPTY, TicketId::ZERO];
//! let orders: [OrderId; 2] = [OrderId::EMPTY, OrderId::ZERO];
//! ```
//!
//! and those of two types do not compile together:
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

/// The ids of orders.
pub mod order;
/// The ids of tickets.
pub mod ticket;
