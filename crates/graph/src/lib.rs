//! Structure only: who comes before whom, what that costs, and where two tasks get into each other's way.
//!
//! Nodes are `u32` and count from zero in document order; an edge `(a, b)` says that `b` waits for `a`.
//! Every result depends on the input alone: same graph, same answer, on every machine.
//!
//! [`layout`] says where everything goes in a drawing, and [`render`] draws it.
//!
//! Not here: files, clocks, threads, what a task does, places in documents.
//! Begin with [`Csr`], the form in which every other module takes a graph, and [`Waves`], its order.
#![forbid(unsafe_code)]

mod closure;
mod critical;
mod csr;
mod cycles;
pub mod dice;
pub mod families;
mod gains;
mod interner;
pub mod layout;
mod partition;
mod races;
pub mod render;
mod resource;
mod schedule;
mod timetable;
mod waves;

pub use closure::{independent_groups, needed_by, reachable_from};
pub use critical::{
    CriticalPath, Parallelism, bottom_levels, critical_path, earliest_starts, makespan_bound, parallelism,
    slack, work,
};
pub use csr::Csr;
pub use cycles::{Cycles, cycles};
pub use gains::{Change, Gain, gains, makespan_with};
pub use interner::Interner;
pub use partition::{Cut, Partition, partition};
pub use races::{Access, Claim, Race, Races, Suggestion, Touches, races};
pub use resource::{
    KINDS as RESOURCE_KINDS, Kind as ResourceKind, Misuse, PathPattern, Resource, kind_of, normal_name,
    paths_overlap,
};
pub use schedule::{Order, Schedule, simulate, simulate_by};
pub use timetable::{Cause, Hold, Limits, Timetable, timetable};
pub use waves::{Cyclic, Waves, levels, topological_order};
