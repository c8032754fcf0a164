//! The server over real sockets, as its clients know it.

mod broken;
mod cache;
mod callbacks;
mod documents;
mod events;
mod keys;
mod locks;
mod logs;
mod metadata;
mod metrics;
mod native;
mod operations;
mod payloads;
mod polling;
mod protocol;
mod receiver;
mod registry;
mod restart;
mod schedules;
mod schemas;
mod searching;
mod support;
mod workers;
mod workflows;

partitur_script::helper_in_tests!();
