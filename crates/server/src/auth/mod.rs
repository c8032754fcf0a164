//! Who may do what: rights, the roles that have them, and the keys that have roles.
//!
//! Each row of the table of routes names the [`Right`] that it needs; a row without one does not compile. What is asked
//! for is decided by the route that answers, never by how its path is spelled.

mod right;

pub use right::{Right, Role, Roles};
