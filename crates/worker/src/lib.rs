//! Turns a dispatched task into a process, an HTTP call, a wait for a file.
