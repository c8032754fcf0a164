//! Names of things that live: runs, tasks, attempts.

use std::fmt;
use std::str::FromStr;

/// A run, as 128 bits in the layout of a version 8 UUID.
///
/// The upper half carries the shard (12 bits) and the run's number on that shard (48 bits), so that an id leads to
/// its row and its shard without an index; the lower half holds 62 random bits, so that ids cannot be guessed.
///
/// ```text
/// nnnnnnnn-nnnn-8sss-vrrr-rrrrrrrrrrrr      n number, s shard, v variant, r random
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(u128);

impl RunId {
    /// The largest number of a run on one shard.
    pub const NUMBER_MAX: u64 = (1 << 48) - 1;

    /// Builds an id. `random` is cut to 62 bits, `number` to 48, `shard` to 12.
    pub const fn new(shard: u16, number: u64, random: u64) -> RunId {
        let high = ((number & Self::NUMBER_MAX) << 16) | 0x8000 | (shard as u64 & 0xfff);
        let low = (random & !(0b11 << 62)) | (0b10 << 62);
        RunId(((high as u128) << 64) | low as u128)
    }

    /// The run's number on its shard: small, rising, what people type.
    pub const fn number(self) -> u64 {
        (self.0 >> 80) as u64
    }

    /// The shard that owns the run for its whole life.
    pub const fn shard(self) -> u16 {
        ((self.0 >> 64) & 0xfff) as u16
    }

    /// The bits that make the id unguessable.
    pub const fn random(self) -> u64 {
        self.0 as u64 & !(0b11 << 62)
    }

    /// All bits.
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// From all bits, as they were stored.
    pub const fn from_bits(bits: u128) -> RunId {
        RunId(bits)
    }
}

/// How long an id is when it is written, and where dashes stand in it.
const LENGTH: usize = 36;
const DASHES_AT: [usize; 4] = [8, 13, 18, 23];

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every answer to a worker is full of them: by hand it takes a fifth of the time.
        let mut text = [b'-'; LENGTH];
        let mut bits = self.0;
        for at in (0..LENGTH).rev().filter(|at| !DASHES_AT.contains(at)) {
            text[at] = b"0123456789abcdef"[bits as usize & 0xf];
            bits >>= 4;
        }
        f.write_str(str::from_utf8(&text).expect("digits and dashes are text"))
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {}", self.number())
    }
}

/// The text is not a run id of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a run id")]
pub struct NotARunId;

impl FromStr for RunId {
    type Err = NotARunId;

    fn from_str(text: &str) -> Result<RunId, NotARunId> {
        let text: &[u8; LENGTH] = text.as_bytes().try_into().map_err(|_| NotARunId)?;
        let mut bits = 0_u128;
        for (at, &byte) in text.iter().enumerate() {
            if DASHES_AT.contains(&at) {
                if byte != b'-' {
                    return Err(NotARunId);
                }
            } else {
                let digit = char::from(byte).to_digit(16).ok_or(NotARunId)?;
                bits = bits << 4 | u128::from(digit);
            }
        }
        let id = RunId(bits);
        let canonical = RunId::new(id.shard(), id.number(), id.random());
        if canonical == id { Ok(id) } else { Err(NotARunId) }
    }
}

/// The number of a task within its run: the order in which tasks became ready. Starts at 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskSeq(pub u32);

/// A task of a run, as 128 bits in the layout of a version 8 UUID: what workers call it.
///
/// The upper half is that of its run's id; the lower half carries the task's number and 30 bits that follow from the
/// run's random ones, so that an id leads to its row without an index and cannot be guessed by who does not know the
/// run's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(u128);

impl TaskId {
    /// The id of a task.
    pub const fn new(run: RunId, task: TaskSeq) -> TaskId {
        let low = (0b10 << 62) | (Self::check(run) << 32) | task.0 as u64;
        TaskId((run.0 >> 64 << 64) | low as u128)
    }

    /// Where the run's row is: shard and number.
    pub const fn shard_and_number(self) -> (u16, u64) {
        (((self.0 >> 64) & 0xfff) as u16, (self.0 >> 80) as u64)
    }

    /// The number of the task within its run.
    pub const fn task(self) -> TaskSeq {
        TaskSeq(self.0 as u32)
    }

    /// Whether this is the id of a task of that run.
    pub const fn is_of(self, run: RunId) -> bool {
        TaskId::new(run, self.task()).0 == self.0
    }

    /// 30 bits of the run's 62, mixed so that they say nothing about the others.
    const fn check(run: RunId) -> u64 {
        let mut bits = run.random() ^ 0x9e37_79b9_7f4a_7c15;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) >> 34
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        RunId(self.0).fmt(f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} of run {}", self.task().0, self.shard_and_number().1)
    }
}

impl FromStr for TaskId {
    type Err = NotARunId;

    fn from_str(text: &str) -> Result<TaskId, NotARunId> {
        text.parse::<RunId>().map(|id| TaskId(id.0))
    }
}

/// Proves which attempt speaks. Strictly rising over all attempts of a node: the upper 24 bits count the starts of
/// the node (boot epoch), the lower 40 the attempts since.
///
/// Handed to each attempt, whether it holds locks or not; a report under an old token changes nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingToken(pub u64);

impl FencingToken {
    /// The first token of a boot epoch.
    pub const fn first_of(epoch: u32) -> FencingToken {
        FencingToken(((epoch as u64) << 40) | 1)
    }

    /// The boot epoch in which the token was given out.
    pub const fn epoch(self) -> u32 {
        (self.0 >> 40) as u32
    }

    /// The token after this one.
    pub const fn next(self) -> FencingToken {
        FencingToken(self.0 + 1)
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The attempt of a task: what a worker reports about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId {
    /// The run.
    pub run: RunId,
    /// The task within the run.
    pub task: TaskSeq,
    /// Which of the task's attempts.
    pub token: FencingToken,
}

/// The identity of a definition: a hash over its source files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DefinitionId(pub u128);

impl fmt::Display for DefinitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_id_survives_printing_and_carries_its_parts() {
        let id = RunId::new(7, 123_456, u64::MAX);
        let text = id.to_string();
        assert_eq!(text, "00000001-e240-8007-bfff-ffffffffffff");
        assert_eq!(text.parse(), Ok(id));
        assert_eq!((id.shard(), id.number(), id.random()), (7, 123_456, u64::MAX >> 2));
    }

    #[test]
    fn other_uuids_and_other_spellings_are_refused() {
        for text in [
            "",
            "00000001-e240-4007-bfff-ffffffffffff",
            "00000001-e240-8007-3fff-ffffffffffff",
            "00000001e24080 07bfffffffffffffff0000",
            "+0000001-e240-8007-bfff-ffffffffffff",
        ] {
            assert_eq!(text.parse::<RunId>(), Err(NotARunId), "{text}");
        }
    }

    #[test]
    fn a_task_id_leads_to_its_run_and_belongs_to_no_other() {
        let run = RunId::new(7, 123_456, 42);
        let id: TaskId = TaskId::new(run, TaskSeq(u32::MAX)).to_string().parse().unwrap();
        assert_eq!((id.shard_and_number(), id.task()), ((7, 123_456), TaskSeq(u32::MAX)));
        assert!(id.is_of(run) && !id.is_of(RunId::new(7, 123_456, 43)));
    }

    #[test]
    fn tokens_of_a_later_boot_are_larger() {
        let mut token = FencingToken::first_of(3);
        for _ in 0..1000 {
            token = token.next();
        }
        assert!(token < FencingToken::first_of(4));
        assert_eq!(token.epoch(), 3);
    }
}
