//! When each task ran, on which lane, and how many did at each moment.
//!
//! Records keep of a task when it became ready, when its first attempt started and when it ended: pauses between
//! attempts count as running. On a server each attempt has a record, and so a span, of its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use partitur_model::Timestamp;
use partitur_model::definition::Kind;
use partitur_model::record::{TaskState, Usage};

use crate::story::{Cast, Story};

/// The time of a run, told by its tasks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// Tasks that have started, by start; those of sub-runs with the path of the task that waited for them before their own.
    pub spans: Vec<Span>,
    /// Which span was waited for by which: positions in `spans`.
    pub waited_for: Vec<(usize, usize)>,
    /// How many lanes the spans that work take, and how many the others.
    pub lanes: (u32, u32),
    /// From the acceptance of the run to its end.
    pub length: Duration,
}

/// A task that has started. Times are since the run was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Its path.
    pub path: String,
    /// When it became ready.
    pub ready: Duration,
    /// When its first attempt started.
    pub from: Duration,
    /// When it ended; now, if it has not.
    pub to: Duration,
    /// The lowest place that was free when it started, among spans that work or among the others.
    pub lane: u32,
    /// Whether it did work itself, in a slot: no container, no sub-run, no wait.
    pub works: bool,
    /// The span of which it is a part: of a container, or of the task that waited for its run.
    pub inside: Option<usize>,
    /// Whether its parts came one after the other, as those of a loop do.
    pub repeats: bool,
    /// How far it is.
    pub state: TaskState,
    /// Attempts used.
    pub attempts: u32,
    /// Its result came from the cache.
    pub cached: bool,
    /// The locks and resources for which it asks, as they are written.
    pub claims: Vec<String>,
    /// It asks a breaker.
    pub guarded: bool,
    /// What its last attempt used.
    pub usage: Usage,
}

impl Span {
    /// From its first start to its end.
    pub fn took(&self) -> Duration {
        self.to - self.from
    }

    /// From ready to started.
    pub fn queued(&self) -> Duration {
        self.from.saturating_sub(self.ready)
    }
}

/// How many tasks there are from a moment on, until the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Since the run was accepted.
    pub at: Duration,
    /// That work.
    pub running: u32,
    /// That are ready to.
    pub queued: u32,
}

impl Timeline {
    /// Of a run and its sub-runs.
    pub fn of(story: &Story<'_>) -> Timeline {
        let mut timeline = Timeline::default();
        let created = story.run.created;
        timeline.add(story, "", None, created);
        timeline.length = story.run.ended.unwrap_or(story.now).since(created);
        timeline.sort();
        timeline.lanes = (take_lanes(&mut timeline.spans, true), take_lanes(&mut timeline.spans, false));
        timeline
    }

    fn add(&mut self, story: &Story<'_>, prefix: &str, waiting: Option<usize>, created: Timestamp) {
        let cast = Cast::of(story);
        let mut positions = vec![None; cast.tasks.len()];
        for (at, task) in cast.tasks.iter().enumerate() {
            let Some(started) = task.started else { continue };
            positions[at] = Some(self.spans.len());
            let node = cast.node(at);
            // A container has its number, and so its span, before its parts.
            let container = task.scope.and_then(|scope| cast.container(scope));
            self.spans.push(Span {
                path: format!("{prefix}{}", task.path),
                ready: task.ready.since(created),
                from: started.since(created),
                to: task.ended.unwrap_or(story.now).max(started).since(created),
                lane: 0,
                works: cast.works(at) && !task.cached,
                inside: container.map_or(waiting, |container| positions[container]),
                repeats: node.is_some_and(|node| matches!(node.kind, Kind::Loop(_))),
                state: task.state,
                attempts: task.attempt,
                cached: task.cached,
                claims: node.map_or_else(Vec::new, |node| {
                    node.claims.iter().map(|claim| claim.resource.0.clone()).collect()
                }),
                guarded: node.is_some_and(|node| node.breaker.is_some()),
                usage: task.usage,
            });
        }
        for (at, position) in positions.iter().enumerate() {
            let Some(to) = *position else { continue };
            let before = cast.before(at).filter_map(|from| positions[from]);
            self.waited_for.extend(before.map(|from| (from, to)));
        }
        for child in &story.children {
            let parent = child.run.parent.and_then(|parent| cast.at(parent.task));
            let name = parent
                .map_or_else(|| child.run.id.number().to_string(), |at| cast.tasks[at].path.to_string());
            self.add(child, &format!("{prefix}{name}/"), parent.and_then(|at| positions[at]), created);
        }
    }

    fn sort(&mut self) {
        let mut order: Vec<usize> = (0..self.spans.len()).collect();
        order.sort_by_key(|&at| (self.spans[at].from, self.spans[at].to, at));
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(new, &old)| place[old] = new);
        self.spans = order.iter().map(|&at| self.spans[at].clone()).collect();
        self.spans.iter_mut().for_each(|span| span.inside = span.inside.map(|inside| place[inside]));
        self.waited_for.iter_mut().for_each(|(from, to)| (*from, *to) = (place[*from], place[*to]));
        self.waited_for.sort_unstable();
    }

    /// How many run and how many wait, from each moment at which that changes.
    pub fn levels(&self) -> Vec<Level> {
        let mut changes: Vec<(Duration, i32, i32)> = Vec::new();
        for span in self.spans.iter().filter(|span| span.works) {
            changes.push((span.ready.min(span.from), 0, 1));
            changes.push((span.from, 1, -1));
            changes.push((span.to, -1, 0));
        }
        changes.sort_unstable();
        let mut levels: Vec<Level> = Vec::new();
        let (mut running, mut queued) = (0_i32, 0_i32);
        for (at, more_running, more_queued) in changes {
            running += more_running;
            queued += more_queued;
            let level = Level { at, running: running.unsigned_abs(), queued: queued.unsigned_abs() };
            match levels.last_mut() {
                Some(last) if last.at == at => *last = level,
                Some(_) | None => levels.push(level),
            }
        }
        levels
    }
}

/// Gives each span the lowest free lane; spans are in the order of their starts.
fn take_lanes(spans: &mut [Span], works: bool) -> u32 {
    let mut busy: BinaryHeap<Reverse<(Duration, u32)>> = BinaryHeap::new();
    let mut free: BinaryHeap<Reverse<u32>> = BinaryHeap::new();
    let mut lanes = 0;
    for span in spans.iter_mut().filter(|span| span.works == works) {
        while let Some(&Reverse((until, lane))) = busy.peek()
            && until <= span.from
        {
            busy.pop();
            free.push(Reverse(lane));
        }
        span.lane = free.pop().map_or_else(
            || {
                lanes += 1;
                lanes - 1
            },
            |Reverse(lane)| lane,
        );
        busy.push(Reverse((span.to, span.lane)));
    }
    lanes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{definition, run, story, task};

    #[test]
    fn each_task_has_the_lowest_lane_that_is_free() {
        let (run, definition) = (run(10.0), definition(&["a", "b", "c"], &[(0, 2)]));
        let tasks = [task(1, "a", 0.0, 0.0, 4.0), task(2, "b", 0.0, 1.0, 10.0), task(3, "c", 4.0, 4.5, 6.0)];
        let timeline = Timeline::of(&story(&run, &tasks, &definition));
        let shown: Vec<(&str, u32)> = timeline.spans.iter().map(|span| (&*span.path, span.lane)).collect();
        assert_eq!(shown, [("a", 0), ("b", 1), ("c", 0)]);
        assert_eq!(timeline.lanes, (2, 0));
        assert_eq!(timeline.waited_for, [(0, 2)]);
        let levels: Vec<(f64, u32, u32)> = timeline
            .levels()
            .iter()
            .map(|level| (level.at.as_secs_f64(), level.running, level.queued))
            .collect();
        assert_eq!(levels, [(0.0, 1, 1), (1.0, 2, 0), (4.0, 1, 1), (4.5, 2, 0), (6.0, 1, 0), (10.0, 0, 0)]);
    }
}
