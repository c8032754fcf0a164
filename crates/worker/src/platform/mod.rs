//! All that is particular to the operating system: starting processes, waiting for many things at once, and ending
//! whole trees of processes. Linux so far; another system is another directory beside `linux`.

mod linux;

pub(crate) use linux::*;
pub use linux::{PressureGauge, Waker};
