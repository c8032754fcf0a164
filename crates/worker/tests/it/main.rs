//! The executor on real processes, files and sockets.

mod harness;
mod hostile;
mod process;
