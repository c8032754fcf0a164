//! Conductor's wire: its types, its definitions and what they come to, and its query language.
//!
//! [`wire`] holds what crosses, with Conductor's names, defaults and gaps; [`wire::read`] reads it and says what is wrong
//! and where. [`check`] finds all faults of a definition at once, under the paths by which Conductor's clients know them.
//! [`lower`] makes of a workflow definition what `engine` compiles; [`freeze`] gives it its task definitions first.
//! [`render`] writes runs and tasks from their rows. [`query`] reads searches, [`schedule`] knows when schedules
//! are due.
//!
//! Not here: HTTP, the engine, rows on a disk, where definitions are kept. Everything follows from the arguments.
//! Begin with `wire/workflow_def.rs`, then `lower/mod.rs`; each kind of task has a file in `lower/`.

mod bundle;
pub mod check;
mod failure;
mod freeze;
mod json;
mod lower;
pub mod query;
mod record;
pub mod render;
pub mod schedule;
mod task_type;
mod wanted;
pub mod wire;

pub use bundle::{Bundle, Obstacle};
pub use failure::failure_input;
pub use freeze::{NoTaskDefs, TaskDefs, fill_schemas, freeze, task_def_of};
pub use lower::{lower, lower_with};
pub use record::{definition_record, read_record, read_workflow_def};
pub use task_type::TaskType;
pub use wanted::{Wanted, wanted_by_failure, wanted_by_start, wanted_by_sub_workflow};
