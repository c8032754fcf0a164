//! Documents as their authors write them, and what is told about them.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "tests read examples and clocks")]

mod support;

mod bad_input;
mod documents;
mod nodes_edges;
mod pages;
mod places;
mod schema;
mod scripts;
mod taskmaster;
