//! Documents as their authors write them, and what is told about them.

mod support;

mod documents;
mod nodes_edges;
mod scripts;
