//! Everything that goes wrong, by name, so that it can be counted.

use std::time::Duration;

use partitur_store::StoreError;

use crate::rng::Rng;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The process dies; where, says the point.
    Crash(CrashPoint),
    /// A report never arrives.
    ReportLost,
    /// A report arrives twice.
    ReportDoubled,
    /// A report arrives long after it was sent.
    ReportLate,
    /// A report of an attempt of an earlier start arrives.
    ReportOutlivesCrash,
    /// An attempt goes on for a while after it was told to stop.
    StopIgnored,
    /// An attempt takes ten minutes.
    Hang,
    /// An attempt shows no sign of life.
    Silence,
    /// A process lives on after the node has died.
    Orphan,
    /// A value that was computed outside arrives twice.
    ValueDoubled,
    /// The clock jumps ahead.
    ClockForward,
    /// The clock jumps back.
    ClockBack,
    /// The disk does something.
    Disk(DiskTrouble),
    /// The answer to a poll does not arrive: its tasks are given back, unless the node dies first.
    AnswerLost,
    /// A worker that has a task says nothing any more.
    WorkerGone,
    /// A worker says the same twice.
    UpdateDoubled,
    /// A worker says it long after it should have.
    UpdateLate,
    /// A worker says it about an attempt of an earlier start.
    UpdateOutlivesCrash,
    /// What was asked of the catalogue is answered twice.
    AnswerDoubled,
}

/// Where a crash falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CrashPoint {
    /// Between two events.
    AtRest,
    /// After an input, before its batch is submitted.
    BeforeSubmit,
    /// After a batch is submitted, before it is written.
    BeforeWrite,
    /// After it is written, before anybody is told.
    AfterWrite,
    /// After the store has told it, before the shard has heard.
    BeforeHeard,
    /// After its effects are released, when some of them have been carried out.
    AmongEffects,
    /// After a start, while processes of the one before are being killed.
    WhileKilling,
}

/// What a disk does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiskTrouble {
    /// It is full.
    Full,
    /// It is held by another process.
    Busy,
    /// Writes fail.
    Io,
    /// The outcome of a write is unknown; it was written.
    UnknownKept,
    /// The outcome of a write is unknown; it was not written.
    UnknownLost,
    /// It takes a thousand times as long.
    Slow,
}

impl CrashPoint {
    /// All of them.
    pub const ALL: [CrashPoint; 7] = [
        CrashPoint::AtRest,
        CrashPoint::BeforeSubmit,
        CrashPoint::BeforeWrite,
        CrashPoint::AfterWrite,
        CrashPoint::BeforeHeard,
        CrashPoint::AmongEffects,
        CrashPoint::WhileKilling,
    ];
}

impl DiskTrouble {
    /// All of them.
    pub const ALL: [DiskTrouble; 6] = [
        DiskTrouble::Full,
        DiskTrouble::Busy,
        DiskTrouble::Io,
        DiskTrouble::UnknownKept,
        DiskTrouble::UnknownLost,
        DiskTrouble::Slow,
    ];

    /// Why a write is refused; `None` if it is not.
    pub fn error(self) -> Option<StoreError> {
        match self {
            DiskTrouble::Full => Some(StoreError::Full),
            DiskTrouble::Busy => Some(StoreError::Busy),
            DiskTrouble::Io => Some(StoreError::Io("write".into())),
            DiskTrouble::UnknownKept | DiskTrouble::UnknownLost => Some(StoreError::Poisoned("sync".into())),
            DiskTrouble::Slow => None,
        }
    }
}

impl Fault {
    /// What goes wrong with every node.
    pub fn all() -> Vec<Fault> {
        let others = [
            Fault::ReportLost,
            Fault::ReportDoubled,
            Fault::ReportLate,
            Fault::ReportOutlivesCrash,
            Fault::StopIgnored,
            Fault::Hang,
            Fault::Silence,
            Fault::Orphan,
            Fault::ValueDoubled,
            Fault::ClockForward,
            Fault::ClockBack,
        ];
        let crashes = CrashPoint::ALL.map(Fault::Crash);
        let disk = DiskTrouble::ALL.map(Fault::Disk);
        crashes.into_iter().chain(disk).chain(others).collect()
    }

    /// What goes wrong with the workers of a server.
    pub const OF_WORKERS: [Fault; 6] = [
        Fault::AnswerLost,
        Fault::WorkerGone,
        Fault::UpdateDoubled,
        Fault::UpdateLate,
        Fault::UpdateOutlivesCrash,
        Fault::AnswerDoubled,
    ];
}

/// When the next crashes fall: after so many inputs each, at a point each.
pub fn crashes(rng: &mut Rng, inputs: u64) -> Vec<(u64, CrashPoint)> {
    let count = rng.between(3, 5);
    let mut at: Vec<u64> = (0..count).map(|_| rng.between(5, inputs)).collect();
    at.sort_unstable();
    at.into_iter().map(|at| (at, CrashPoint::ALL[rng.below(CrashPoint::ALL.len())])).collect()
}

/// How far the clock jumps, in microseconds.
pub fn jump(rng: &mut Rng) -> (Fault, i64) {
    if rng.percent(50) {
        (Fault::ClockForward, rng.pause(100, 300_000).as_micros() as i64)
    } else {
        (Fault::ClockBack, -(rng.pause(100, 30_000).as_micros() as i64))
    }
}

/// How long the disk is in trouble.
pub fn trouble_lasts(rng: &mut Rng) -> Duration {
    rng.pause(10, 8_000)
}
