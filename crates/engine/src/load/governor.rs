//! One run's limit: raised carefully while the machine has room, lowered by a part when it has not.
//!
//! Between "too much" and "there is room" lies a wide band in which nothing moves. A level that was too much is tried
//! again only after a pause, which doubles each time the trial fails: under a load that stays the same, the limit
//! settles. Lowering it stops nobody, so nothing more is concluded until no more attempts live than it allows.

use std::fmt;
use std::time::Duration;

use partitur_model::definition::Concurrency;
use partitur_model::{Pressure, Timestamp};

/// Above this share of the time somebody waits for a processor: too much. Below the other: there is room.
const PROCESSORS: (f32, f32) = (0.70, 0.35);
/// The same for memory in use, and for the time lost waiting for it.
const MEMORY: (f32, f32) = (0.90, 0.80);
const STALL: (f32, f32) = (0.10, 0.02);
/// From here on the next task may be the one that brings everything down.
const MEMORY_CRITICAL: f32 = 0.95;
/// With one task more, no more than this may be in use.
const MEMORY_AFTER: f32 = 0.85;
/// Tasks take so many times as long as usual.
const SLOWDOWN: (f32, f32) = (2.0, 1.5);

/// Processors are waited for in short bursts, too: so many looks in a row count.
const LOOKS: u32 = 2;
/// After so many calm looks at a level that was too much before, it is one no more.
const TRIAL: u32 = 3;
/// Between two trials of a level.
const PAUSE: Duration = Duration::from_secs(10);
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// What a governor sees.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// How the machine was found.
    pub pressure: Pressure,
    /// So many attempts of the run live.
    pub live: u32,
    /// More would start if they were let.
    pub waits: bool,
    /// So many times as long as usual tasks take, if enough have ended to say so.
    pub slowdown: Option<f32>,
}

/// Why a limit stands where it stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cause {
    /// Nobody has looked at the machine yet.
    Unseen,
    /// The first look: as many as there are processors.
    Begin(u32),
    /// There is room.
    Room,
    /// Somebody waits for a processor, for this share of the time.
    Processors(f32),
    /// This share of so many bytes of memory is in use.
    Memory(f32, u64),
    /// This share of the time is lost waiting for memory.
    Stall(f32),
    /// Tasks take so many times as long as usual.
    Slowdown(f32),
}

/// Moves the limit of one run.
#[derive(Debug)]
pub struct Governor {
    bounds: Concurrency,
    limit: u32,
    since: Timestamp,
    cause: Cause,
    /// Nothing was too much yet: the limit doubles instead of growing by one.
    finding: bool,
    /// Looks in a row at which it was too much, or calm.
    high: u32,
    calm: u32,
    ceiling: Option<Ceiling>,
    /// In use when the run began: what is more by now, its tasks use.
    memory_before: u64,
}

/// A level that was too much.
#[derive(Clone, Copy, Debug)]
struct Ceiling {
    level: u32,
    /// Not tried again before.
    until: Timestamp,
    pause: Duration,
}

/// What a look comes to.
enum Grade {
    Critical(Cause),
    High(Cause),
    Steady,
    Calm,
}

impl Governor {
    /// A limit that nobody has found a reason for yet: the least.
    pub fn new(bounds: Concurrency, now: Timestamp) -> Governor {
        let min = bounds.min.max(1);
        Governor {
            bounds: Concurrency { min, max: bounds.max.max(min) },
            limit: min,
            since: now,
            cause: Cause::Unseen,
            finding: true,
            high: 0,
            calm: 0,
            ceiling: None,
            memory_before: 0,
        }
    }

    /// So many attempts at once.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// Between which it moves.
    pub fn bounds(&self) -> Concurrency {
        self.bounds
    }

    /// Why it moved last.
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// When it moved last.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// Whether it has seen the machine at all.
    pub fn has_looked(&self) -> bool {
        self.cause != Cause::Unseen
    }

    /// The machine was found so. Whether there is something to tell: the limit has moved, or was found.
    pub fn look(&mut self, now: Timestamp, sight: &Sight) -> bool {
        if !self.has_looked() {
            self.memory_before = sight.pressure.memory_used;
            let cores = sight.pressure.cores.max(1);
            self.stand(now, cores.clamp(self.bounds.min, self.bounds.max), Cause::Begin(cores));
            return true;
        }
        let before = self.limit;
        match grade(sight) {
            Grade::Critical(cause) => self.fall(now, self.bounds.min, sight.live, cause),
            Grade::High(cause) => self.is_high(now, sight, cause),
            Grade::Steady => (self.high, self.calm) = (0, 0),
            Grade::Calm => self.is_calm(now, sight),
        }
        self.limit != before
    }

    fn is_high(&mut self, now: Timestamp, sight: &Sight, cause: Cause) {
        self.calm = 0;
        self.high += 1;
        let patience = if matches!(cause, Cause::Processors(_)) { LOOKS } else { 1 };
        // More live than may: what lowering it brings is not to be seen yet.
        if self.high < patience || sight.live > self.limit {
            return;
        }
        let level = self.limit.min(sight.live.max(1));
        let on_trial = self.ceiling.is_some_and(|ceiling| level >= ceiling.level);
        let lower = match cause {
            _ if on_trial => level.saturating_sub(1),
            Cause::Memory(..) | Cause::Stall(_) => level / 2,
            Cause::Unseen | Cause::Begin(_) | Cause::Room | Cause::Processors(_) | Cause::Slowdown(_) => {
                level * 3 / 4
            }
        };
        self.fall(now, lower, sight.live, cause);
    }

    fn fall(&mut self, now: Timestamp, to: u32, live: u32, cause: Cause) {
        let level = self.limit.min(live.max(1));
        let pause = match self.ceiling {
            Some(ceiling) if level >= ceiling.level => (ceiling.pause * 2).min(PAUSE_MAX),
            Some(ceiling) => ceiling.pause,
            None => PAUSE,
        };
        if self.limit > self.bounds.min {
            self.ceiling = Some(Ceiling { level: level.max(self.bounds.min + 1), until: now + pause, pause });
        }
        (self.finding, self.high, self.calm) = (false, 0, 0);
        self.stand(now, to.clamp(self.bounds.min, self.limit), cause);
    }

    fn is_calm(&mut self, now: Timestamp, sight: &Sight) {
        self.high = 0;
        self.calm += 1;
        if self.calm >= TRIAL && self.ceiling.is_some_and(|ceiling| sight.live >= ceiling.level) {
            self.ceiling = None;
        }
        // A limit that nobody reaches says nothing about a higher one.
        if !sight.waits || sight.live < self.limit || !has_room(sight, self.memory_before) {
            return;
        }
        let step = if self.finding { self.limit } else { 1 };
        let mut next = self.limit.saturating_add(step).min(self.bounds.max);
        if let Some(ceiling) = self.ceiling {
            let most = if now < ceiling.until { ceiling.level - 1 } else { ceiling.level };
            next = next.min(most);
        }
        if next > self.limit {
            self.calm = 0;
            self.stand(now, next, Cause::Room);
        }
    }

    fn stand(&mut self, now: Timestamp, limit: u32, cause: Cause) {
        if limit != self.limit || !self.has_looked() {
            (self.limit, self.since, self.cause) = (limit, now, cause);
        }
    }
}

fn grade(sight: &Sight) -> Grade {
    let Pressure { processors, memory, memory_stall, memory_limit, .. } = sight.pressure;
    if memory >= MEMORY_CRITICAL {
        return Grade::Critical(Cause::Memory(memory, memory_limit));
    }
    if memory >= MEMORY.0 {
        return Grade::High(Cause::Memory(memory, memory_limit));
    }
    if memory_stall >= STALL.0 {
        return Grade::High(Cause::Stall(memory_stall));
    }
    if processors >= PROCESSORS.0 {
        return Grade::High(Cause::Processors(processors));
    }
    // What takes long although nobody is in its way gets no faster alone.
    if let Some(slowdown) = sight.slowdown.filter(|&slowdown| slowdown >= SLOWDOWN.0 && sight.live > 1) {
        return Grade::High(Cause::Slowdown(slowdown));
    }
    let calm = memory < MEMORY.1
        && memory_stall < STALL.1
        && processors < PROCESSORS.1
        && sight.slowdown.is_none_or(|slowdown| slowdown < SLOWDOWN.1);
    if calm { Grade::Calm } else { Grade::Steady }
}

/// Whether a task more fits into memory, if it takes as much as the others do.
fn has_room(sight: &Sight, before: u64) -> bool {
    let Pressure { memory_used, memory_limit, .. } = sight.pressure;
    let of_each = memory_used.saturating_sub(before) / u64::from(sight.live.max(1));
    memory_limit == 0 || (memory_used + of_each) as f32 <= memory_limit as f32 * MEMORY_AFTER
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: &f32| share * 100.0;
        match self {
            Cause::Unseen => f.write_str("nobody has looked at the machine yet"),
            Cause::Begin(1) => f.write_str("there is one processor"),
            Cause::Begin(cores) => write!(f, "there are {cores} processors"),
            Cause::Room => f.write_str("the machine has room"),
            Cause::Processors(share) => {
                write!(f, "processors are short: waited for {:.0} % of the time", percent(share))
            }
            Cause::Memory(share, limit) => {
                let limit = *limit as f64 / f64::from(1 << 30);
                write!(f, "memory is short: {:.0} % of {limit:.1} GiB in use", percent(share))
            }
            Cause::Stall(share) => {
                write!(f, "memory is short: waited for {:.0} % of the time", percent(share))
            }
            Cause::Slowdown(times) => write!(f, "tasks take {times:.1} × as long as usual"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A machine on which a run has as many attempts as it may, with looks a second apart.
    struct World {
        governor: Governor,
        live: u32,
        seconds: u64,
        moves: Vec<(u64, u32)>,
    }

    impl World {
        fn new(min: u32, max: u32) -> World {
            let governor = Governor::new(Concurrency { min, max }, Timestamp::ZERO);
            World { governor, live: min, seconds: 0, moves: Vec::new() }
        }

        fn look(&mut self, pressure: Pressure) {
            self.seconds += 1;
            let sight = Sight { pressure, live: self.live, waits: true, slowdown: None };
            if self.governor.look(Timestamp::from_millis(1_000 * self.seconds), &sight) {
                self.moves.push((self.seconds, self.governor.limit()));
            }
            // Every second one attempt ends.
            self.live = self.governor.limit().max(self.live.saturating_sub(1));
        }
    }

    /// So many processors, on which each attempt keeps one busy.
    fn busy(cores: u32, live: u32) -> Pressure {
        let processors = if live > cores { 0.95 } else { 0.1 };
        Pressure { cores, processors, memory: 0.3, ..Pressure::default() }
    }

    proptest! {
        #[test]
        fn the_limit_never_leaves_its_bounds(
            min in 1_u32..8,
            more in 0_u32..40,
            looks in proptest::collection::vec((0.0_f32..1.0, 0.0_f32..1.0, 0.0_f32..0.3, 0_u32..60, any::<bool>()), 1..200),
        ) {
            let mut governor = Governor::new(Concurrency { min, max: min + more }, Timestamp::ZERO);
            for (at, (processors, memory, memory_stall, live, waits)) in looks.into_iter().enumerate() {
                let pressure = Pressure { cores: 4, processors, memory, memory_stall, ..Pressure::default() };
                let sight = Sight { pressure, live, waits, slowdown: Some(processors * 4.0) };
                governor.look(Timestamp::from_millis(500 * at as u64), &sight);
                prop_assert!((min..=min + more).contains(&governor.limit()));
            }
        }

        #[test]
        fn under_a_load_that_stays_the_same_it_settles(cores in 1_u32..32, min in 1_u32..4, more in 1_u32..60) {
            let (min, max) = (min, min + more);
            let mut world = World::new(min, max);
            for _ in 0..7_200 {
                let pressure = busy(cores, world.live);
                world.look(pressure);
            }
            let good = cores.clamp(min, max);
            // It stands where no processor is short, or one above, on trial.
            let at_rest = world.governor.limit();
            prop_assert!(at_rest + 1 >= good && at_rest <= good + 1, "{at_rest} instead of {good}");
            // In the second hour it moves only for trials, five minutes apart: up and down.
            let late = world.moves.iter().filter(|(at, _)| *at > 3_600).count();
            prop_assert!(late <= 26, "{late} moves in an hour");
        }

        #[test]
        fn pressure_is_answered_in_time_and_forgotten_in_time(min in 1_u32..4, more in 4_u32..60) {
            let max = min + more;
            let mut world = World::new(min, max);
            for _ in 0..60 {
                world.look(busy(1_000, 1));
            }
            prop_assert_eq!(world.governor.limit(), max);
            world.look(Pressure { memory: 0.97, memory_limit: 1 << 30, ..busy(1_000, 1) });
            prop_assert_eq!(world.governor.limit(), min);
            let calm_from = world.seconds;
            while world.governor.limit() < max {
                world.look(busy(1_000, 1));
                prop_assert!(world.seconds < calm_from + 400, "still at {}", world.governor.limit());
            }
        }
    }

    #[test]
    fn it_finds_its_level_step_by_step_and_says_why() {
        let mut world = World::new(1, 10);
        let mut said = Vec::new();
        for _ in 0..40 {
            let pressure = busy(4, world.live);
            let before = world.moves.len();
            world.look(pressure);
            if world.moves.len() > before {
                said.push(format!(
                    "{}s {}: {}",
                    world.seconds,
                    world.governor.limit(),
                    world.governor.cause()
                ));
            }
        }
        insta::assert_snapshot!(said.join("\n"), @r"
        1s 4: there are 4 processors
        2s 8: the machine has room
        4s 6: processors are short: waited for 95 % of the time
        6s 4: processors are short: waited for 95 % of the time
        8s 5: the machine has room
        10s 3: processors are short: waited for 95 % of the time
        11s 4: the machine has room
        20s 5: the machine has room
        22s 4: processors are short: waited for 95 % of the time
        ");
    }

    #[test]
    fn a_task_that_would_not_fit_into_memory_is_not_let_in() {
        let mut governor = Governor::new(Concurrency { min: 1, max: 8 }, Timestamp::ZERO);
        let gib = 1_u64 << 30;
        let mut look = |second: u64, live: u32, used: u64| {
            let (memory, memory_limit) = (used as f32 / 16.0, 16 * gib);
            let pressure =
                Pressure { cores: 2, memory, memory_used: used * gib, memory_limit, ..Pressure::default() };
            let sight = Sight { pressure, live, waits: true, slowdown: None };
            governor.look(Timestamp::from_millis(1_000 * second), &sight);
            governor.limit()
        };
        assert_eq!(look(1, 1, 1), 2);
        // Each takes 5 GiB: a third one would leave too little.
        assert_eq!(look(2, 2, 11), 2);
        assert_eq!(look(3, 2, 3), 4);
    }

    #[test]
    fn tasks_that_get_slower_together_get_fewer() {
        let mut governor = Governor::new(Concurrency { min: 1, max: 8 }, Timestamp::ZERO);
        let pressure = Pressure { cores: 8, ..Pressure::default() };
        let mut look = |second: u64, slowdown: Option<f32>| {
            let sight = Sight { pressure, live: 8, waits: true, slowdown };
            governor.look(Timestamp::from_millis(1_000 * second), &sight);
            (governor.limit(), governor.cause())
        };
        assert_eq!(look(1, None), (8, Cause::Begin(8)));
        assert_eq!(look(2, Some(1.7)).0, 8);
        assert_eq!(look(3, Some(2.5)), (6, Cause::Slowdown(2.5)));
    }
}
