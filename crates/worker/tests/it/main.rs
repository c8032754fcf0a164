//! The executor on real processes, files and sockets.

mod cache;
mod harness;
mod hostile;
mod http;
mod process;
