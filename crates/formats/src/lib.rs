//! Reads documents: native YAML and JSON, and nodes and edges, into the definitions of `model`, and shows what is
//! wrong with them where it stands.
//!
//! [`read`] takes bytes and gives a [`Document`], or every fault at once; [`render`] prints faults with the line and a
//! remedy. [`Places`] knows where `tasks.report.needs[0]` stands, also for faults that others find.
//! [`schema`] is the JSON Schema of native documents, made from the tables that the reader follows.
//!
//! [`taskmaster`] reads, judges and edits files of Taskmaster, which are lists of work and no documents of ours.
//!
//! Definitions of Conductor's are recognised by [`detect`] and read by `conductor`; [`places`] knows where they stand.
//!
//! Not here: files and directories (bytes come in, sub-flows through a callback), the meaning of expressions and of
//! graphs: cycles, unknown references in `${…}` and races are found by others.
//! Begin with `document.rs`; `tree.rs` is the text, `native/` the tables of keys, `shell.rs` the values in scripts.

// A fault ends the reading of its file: what its size costs is paid once.
#![allow(clippy::result_large_err)]

pub mod codes;
mod document;
mod excerpt;
mod flows;
mod json;
mod keys;
mod kind;
mod native;
mod nodes_edges;
mod places;
mod reader;
mod render;
mod scalar;
mod schema;
mod shell;
pub mod taskmaster;
mod tree;
mod yaml;

pub use document::{Document, Faults, definition_record, detect, places, read, read_record, read_within};
pub use excerpt::{Keep, excerpt};
pub use places::{Location, Places};
pub use render::render;
pub use schema::{key_table, schema};
pub use tree::{Budget, Span};
