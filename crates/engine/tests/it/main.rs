//! The engine as its callers see it: inputs in, batches out, and the rows in between.

mod check;
mod lab;
mod met;
mod random;
mod runs;
