//! Structure only: who comes before whom, what that costs, and where two tasks get into each other's way.
//!
//! Nodes are `u32` and count from zero in document order; an edge `(a, b)` says that `b` waits for `a`.
//! Every result depends on the input alone: same graph, same answer, on every machine.
//!
//! Not here: files, clocks, threads, what a task does, places in documents.
//! Begin with [`Csr`], the form in which every other module takes a graph.
#![forbid(unsafe_code)]

mod csr;

pub use csr::Csr;
