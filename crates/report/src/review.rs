//! Why a run took as long as it did, and what would make it shorter.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::advice::{self, Advice};
use crate::at_best::at_best;
use crate::covered::Covered;
use crate::performance::Performance;
use crate::story::Story;
use crate::timeline::{Level, Span, Timeline};
use crate::watch::Watch;

/// What records do not say.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// So many attempts may have lived at once; as many as did, if nobody knows.
    pub slots: Option<u32>,
    /// Processors of the machine.
    pub processors: u32,
    /// How long tasks take usually, by path.
    pub usual: BTreeMap<String, Duration>,
}

/// Everything that is told of an ended run, or of one so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Review {
    /// The figures.
    pub performance: Performance,
    /// When what ran.
    pub timeline: Timeline,
    /// How many tasks ran at each moment.
    pub levels: Vec<Level>,
    /// So many places there were.
    pub slots: u32,
    /// With a place for each task and no lock in the way.
    pub at_best: Duration,
    /// What tasks waited for when they were ready.
    pub queued: Queued,
    /// What was used.
    pub usage: Use,
    /// Tasks that took much longer than usual, worst first.
    pub slow: Vec<Slow>,
    /// What would help, most first.
    pub advice: Vec<Advice>,
}

/// Time between ready and started, all tasks together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queued {
    /// Every place was taken.
    pub slots: Duration,
    /// Others held a lock or units of a resource that the task wanted.
    pub claims: Duration,
    /// Neither; but the task asks a breaker.
    pub breakers: Duration,
    /// Nothing that a record tells of: our own doing, or a rate.
    pub overhead: Duration,
}

/// What a run used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Use {
    /// Of the places, from the first start to the last end.
    pub places: f64,
    /// Processor time of all attempts, in shares of what the machine has.
    pub processors: f64,
    /// No more memory than this, in bytes: the most of each, of all that lived at once.
    pub memory: u64,
    /// Most tasks at once, and their mean.
    pub most: u32,
    /// Tasks at once while any ran.
    pub mean: f64,
}

/// A task that took longer than usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slow {
    /// Its path.
    pub path: String,
    /// So long this time.
    pub took: Duration,
    /// So long usually.
    pub usual: Duration,
}

impl Review {
    /// Reads a run.
    pub fn of(story: &Story<'_>, surroundings: &Surroundings) -> Review {
        let timeline = Timeline::of(story);
        let levels = timeline.levels();
        let most = levels.iter().map(|level| level.running).max().unwrap_or(0);
        let slots = surroundings.slots.unwrap_or(most).max(most).max(1);
        let mut review = Review {
            performance: Performance::of(story, &Watch::default()),
            at_best: at_best(&timeline),
            queued: queued(&timeline.spans, &levels, slots),
            usage: usage(&timeline, &levels, slots, surroundings.processors),
            slow: slow(&timeline.spans, &surroundings.usual),
            advice: Vec::new(),
            timeline,
            levels,
            slots,
        };
        review.advice = advice::of(&review);
        review
    }

    /// How long every place was taken while something else was ready.
    pub fn crowded(&self) -> Duration {
        let is_crowded = |level: &Level| level.running >= self.slots && level.queued > 0;
        stretches(&self.levels).filter(|(level, _)| is_crowded(level)).map(|(_, time)| time).sum()
    }
}

/// Each level with how long it lasted.
fn stretches(levels: &[Level]) -> impl Iterator<Item = (Level, Duration)> + '_ {
    levels.windows(2).map(|pair| (pair[0], pair[1].at - pair[0].at))
}

/// A wait is put down to whoever held what the task wanted, then to the places, and only the rest to us.
fn queued(spans: &[Span], levels: &[Level], slots: u32) -> Queued {
    let full = stretches(levels).filter(|(level, _)| level.running >= slots);
    let full = Covered::by(full.map(|(level, time)| (level.at, level.at + time)).collect());
    let held = held(spans);
    let mut queued = Queued::default();
    for span in spans.iter().filter(|span| span.works && span.from > span.ready) {
        let (from, to) = (span.ready, span.from);
        let by_holders = span.claims.iter().map(|claim| held[claim.as_str()].between(from, to)).max();
        let by_holders = by_holders.unwrap_or_default();
        let by_places = full.between(from, to).min(to - from - by_holders);
        let rest = to - from - by_holders - by_places;
        queued.claims += by_holders;
        queued.slots += by_places;
        if span.guarded {
            queued.breakers += rest;
        } else {
            queued.overhead += rest;
        }
    }
    queued
}

/// When somebody held each resource.
fn held(spans: &[Span]) -> HashMap<&str, Covered> {
    let mut times: HashMap<&str, Vec<(Duration, Duration)>> = HashMap::new();
    for span in spans.iter().filter(|span| span.works) {
        for claim in &span.claims {
            times.entry(claim).or_default().push((span.from, span.to));
        }
    }
    times.into_iter().map(|(claim, times)| (claim, Covered::by(times))).collect()
}

fn usage(timeline: &Timeline, levels: &[Level], slots: u32, processors: u32) -> Use {
    let working = || timeline.spans.iter().filter(|span| span.works);
    let busy: Duration = working().map(Span::took).sum();
    let any: Duration = stretches(levels).filter(|(level, _)| level.running > 0).map(|(_, time)| time).sum();
    let length = timeline.length.as_secs_f64().max(1e-6);
    let cpu: u64 = working().map(|span| span.usage.cpu_micros).sum();
    Use {
        places: busy.as_secs_f64() / (length * f64::from(slots)),
        processors: cpu as f64 / 1e6 / (length * f64::from(processors.max(1))),
        memory: most_memory(timeline),
        most: levels.iter().map(|level| level.running).max().unwrap_or(0),
        mean: if any.is_zero() { 0.0 } else { busy.as_secs_f64() / any.as_secs_f64() },
    }
}

fn most_memory(timeline: &Timeline) -> u64 {
    let mut changes: Vec<(Duration, i128)> = Vec::new();
    for span in timeline.spans.iter().filter(|span| span.works) {
        let bytes = i128::from(span.usage.rss_max);
        changes.extend([(span.from, bytes), (span.to, -bytes)]);
    }
    changes.sort_unstable();
    let (mut now, mut most) = (0, 0);
    for (_, change) in changes {
        now += change;
        most = most.max(now);
    }
    u64::try_from(most).unwrap_or(0)
}

/// Half as long again is no accident, less than a tenth of a second does not matter.
fn slow(spans: &[Span], usual: &BTreeMap<String, Duration>) -> Vec<Slow> {
    let mut slow: Vec<Slow> = spans
        .iter()
        .filter(|span| span.works)
        .filter_map(|span| Some((span, *usual.get(&span.path)?)))
        .filter(|(span, usual)| {
            span.took() * 2 > *usual * 3 && span.took() > *usual + Duration::from_millis(100)
        })
        .map(|(span, usual)| Slow { path: span.path.clone(), took: span.took(), usual })
        .collect();
    slow.sort_by(|a, b| (b.took - b.usual).cmp(&(a.took - a.usual)).then_with(|| a.path.cmp(&b.path)));
    slow
}

#[cfg(test)]
mod tests;
