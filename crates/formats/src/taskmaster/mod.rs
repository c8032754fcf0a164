//! Files of Taskmaster: `tasks.json` in all shapes that real ones have.
//!
//! [`Source`] is the text, [`Source::backlog`] its tags and tasks, [`check`] everything that is wrong with them.
//! [`Order`] is the graph of a tag, [`Standing`] how far its tasks are, [`next()`] what to do now. One rule holds for all
//! of them; it stands in `docs/taskmaster.md`. [`Source::edited`] changes values and leaves every other byte as it is.
//!
//! Not here: files, locks, the command line. Begin with `backlog.rs`; `resolve.rs` says what a dependency means.

mod backlog;
mod check;
pub mod codes;
mod compat;
mod edit;
mod finding;
mod id;
mod lower;
mod next;
mod order;
mod reach;
mod read;
mod resolve;
mod source;
mod standing;
mod word;

pub use backlog::{Backlog, Dependency, Tag, Task, Touched};
pub use check::check;
pub use compat::next_as_taskmaster;
pub use edit::{Edit, StatusError};
pub use finding::Finding;
pub use lower::{Lowered, Lowering, lower};
pub use next::{Candidate, Hold, holds, next};
pub use order::{Cut, Node, Order, Role};
pub use reach::{Part, Reach};
pub use resolve::{Meaning, Reference};
pub use source::Source;
pub use standing::{Rule, Standing};
pub use word::{Priority, Status};
