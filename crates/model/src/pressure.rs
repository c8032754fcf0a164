//! How hard a machine is pressed, as somebody has just found it.

/// What was found, since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pressure {
    /// Processors that may be used.
    pub cores: u32,
    /// The share of the time in which somebody waited for a processor: 0..=1.
    pub processors: f32,
    /// The share of memory in use, where it is tightest: 0..=1.
    pub memory: f32,
    /// The share of the time in which somebody waited for memory: 0..=1.
    pub memory_stall: f32,
    /// Bytes in use there.
    pub memory_used: u64,
    /// And how many there are.
    pub memory_limit: u64,
}
