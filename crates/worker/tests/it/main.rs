//! The executor on real processes, files and sockets.

mod build;
mod cache;
mod harness;
mod hostile;
mod http;
mod process;
