//! The wire against answers that Conductor 3.32.1 gave.

mod recorded;
mod rendering;
mod wire;
