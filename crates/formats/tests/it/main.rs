//! Documents as their authors write them, and what is told about them.

mod support;

mod bad_input;
mod documents;
mod nodes_edges;
mod pages;
mod places;
mod schema;
mod scripts;
