//! The engine as its callers see it: inputs in, batches out, and the rows in between.

#![expect(clippy::disallowed_methods, reason = "tests look at the world")]

mod check;
mod lab;
mod met;
mod random;
mod random_served;
mod random_services;
mod runs;
mod script;
mod scripts;
