//! Who may do what: rights, the roles that have them, the keys that have roles, and the tokens that keys are given.
//!
//! Each row of the table of routes names the [`Right`] that it needs; a row without one does not compile. What is asked
//! for is decided by the route that answers, never by how its path is spelled.
//!
//! A key is an id and 256 random bits, so what is stored of it is a plain hash: nobody can try all of them, and a slow
//! hash, which is for what people can remember, would only slow every request down. A token is signed, not stored: it
//! holds for a while, as long as its key and the secret that it was given for do, on every node that has the signature,
//! and after a restart. Begin with [`Keys::identify`]; `http/gate.rs` asks it about every request.

mod asking;
pub(crate) mod first_key;
mod key;
mod keys;
pub mod offline;
mod right;
mod signature;

pub(crate) use asking::{Asking, asking, in_the_name_of};
pub use key::{Bearer, Key, NewKey, Secret};
pub use keys::{Keys, KeysError, Refused};
pub use right::{Right, Role, Roles};
pub use signature::Signature;
