//! The server over real sockets, as its clients know it.

mod broken;
mod cache;
mod documents;
mod keys;
mod locks;
mod metadata;
mod metrics;
mod native;
mod polling;
mod registry;
mod restart;
mod schemas;
mod searching;
mod support;
mod workers;
mod workflows;

partitur_script::helper_in_tests!();
