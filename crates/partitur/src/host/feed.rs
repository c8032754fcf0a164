//! Who is told what: events of a run go to those who follow it, and those of its sub-runs with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use partitur_api::{Event, EventKind};
use partitur_model::RunId;

/// Somebody who follows runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Follower {
    /// The terminal of the host itself.
    Own,
    /// One that has joined.
    Terminal(u64),
}

/// Who follows which run.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    followers: BTreeMap<RunId, Vec<Follower>>,
    /// For each sub-run, the run above and the path of the task that waits for it.
    above: BTreeMap<RunId, (RunId, Arc<str>)>,
}

impl Feed {
    pub(crate) fn follow(&mut self, run: RunId, follower: Follower) {
        let followers = self.followers.entry(run).or_default();
        if !followers.contains(&follower) {
            followers.push(follower);
        }
    }

    pub(crate) fn leave(&mut self, follower: Follower) {
        for followers in self.followers.values_mut() {
            followers.retain(|known| *known != follower);
        }
    }

    /// The run has ended: whoever followed it hears no more.
    pub(crate) fn end(&mut self, run: RunId) -> Vec<Follower> {
        self.followers.remove(&run).unwrap_or_default()
    }

    /// The run is a sub-run of another one.
    pub(crate) fn nest(&mut self, child: RunId, parent: RunId, task: Arc<str>) {
        self.above.insert(child, (parent, task));
    }

    /// Whether anybody would be told about this run.
    pub(crate) fn has_followers(&self, run: RunId) -> bool {
        let mut run = Some(run);
        while let Some(id) = run {
            if self.followers.get(&id).is_some_and(|followers| !followers.is_empty()) {
                return true;
            }
            run = self.above.get(&id).map(|(parent, _)| *parent);
        }
        false
    }

    /// Everybody who is told about an event of this run, and what they are told: a follower of a run above sees the
    /// task under the path of the one that waits.
    pub(crate) fn tell(&self, run: RunId, event: Event) -> Vec<(Follower, Event)> {
        let mut told = Vec::new();
        let (mut run, mut event) = (run, Some(event));
        while let Some(current) = event {
            for &follower in self.followers.get(&run).into_iter().flatten() {
                told.push((follower, current.clone()));
            }
            let Some((parent, task)) = self.above.get(&run) else { break };
            event = under(current, *parent, task);
            run = *parent;
        }
        told
    }
}

/// The event as somebody sees it who follows the run above; what concerns the sub-run as a whole is not theirs.
fn under(mut event: Event, parent: RunId, waiting: &str) -> Option<Event> {
    event.run = parent.number();
    let task = match &mut event.kind {
        EventKind::Run { .. } | EventKind::Limit { .. } => return None,
        EventKind::TaskReady { task }
        | EventKind::TaskWaits { task, .. }
        | EventKind::TaskServes { task }
        | EventKind::TaskDecided { task, .. }
        | EventKind::TaskStarted { task, .. }
        | EventKind::TaskProgress { task, .. }
        | EventKind::Output { task, .. }
        | EventKind::TaskRetries { task, .. }
        | EventKind::TaskEnded { task, .. }
        | EventKind::UndoEnded { task, .. }
        | EventKind::Notice { task, .. } => task,
    };
    *task = format!("{waiting}/{task}").into();
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_follower_of_the_run_above_sees_the_tasks_of_a_sub_run_under_the_one_that_waits() {
        let (outer, inner) = (RunId::new(0, 1, 1), RunId::new(0, 2, 2));
        let mut feed = Feed::default();
        feed.follow(outer, Follower::Own);
        feed.nest(inner, outer, "close".into());
        let told = feed.tell(inner, Event::new(1, 2, EventKind::TaskReady { task: "sum".into() }));
        let expected = Event::new(1, 1, EventKind::TaskReady { task: "close/sum".into() });
        assert_eq!(told, [(Follower::Own, expected)]);
        assert!(feed.has_followers(inner));
        feed.leave(Follower::Own);
        assert!(!feed.has_followers(inner));
    }
}
