//! The server over real sockets, as its clients know it.

mod broken;
mod metadata;
mod native;
mod restart;
mod support;
mod workers;
mod workflows;
