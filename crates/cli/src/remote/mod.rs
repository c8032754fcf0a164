//! Conductor's protocol from the other side: a client of any server that speaks it, and how what servers say is shown.
//!
//! [`Desk`] is what a command works with: the [`Client`] that asks, and where the answers are shown. [`Story`] makes a
//! tree of a run, [`Table`] aligned columns of anything, [`definitions`] reads and checks what is uploaded.
//!
//! Not here: what each command asks for (`commands/remote/`), and what a server does with it.

mod client;
mod credentials;
pub mod definitions;
mod desk;
pub mod given;
mod mark;
mod options;
mod problem;
mod route;
mod story;
mod table;
mod told;

pub use client::Verb;
pub use desk::{Desk, Tally};
pub use mark::{run_exit, run_has_ended, run_mark, task_has_ended, task_mark};
pub use options::{Remote, span};
pub use problem::{Problem, meant};
pub use route::Route;
pub use story::{Children, Row, Story, took};
pub use table::{Cell, Table, left, right, wide};
pub use told::{Told, parsed};
