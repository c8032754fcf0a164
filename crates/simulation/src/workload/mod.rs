//! What the simulated node is asked to do: random documents, and random wishes of people.

mod client;
mod document;
mod served;
mod served_client;

pub use client::{Wish, wish};
pub use document::{Documents, documents};
pub use served::{LIVE_MAX, TYPES, branch_flow, served_documents};
pub use served_client::{DOMAIN, line, served_wish};

/// Counted resources and how many units there are of each; every document of a world declares the same.
pub const RESOURCES: [(&str, u32); 2] = [("gpu", 3), ("api-*", 2)];

/// The breaker that every document of a world declares.
pub const BREAKER: &str = "dependency";

/// Agents whose tasks there are.
pub const AGENTS: [&str; 2] = ["ann", "bob"];

/// How many attempts may live at once at the start.
pub const CONCURRENCY: u32 = 5;
