//! When nobody was at work on a run: after a crash until it was resumed, and after its end until it was revived.

use std::time::Duration;

use partitur_model::Timestamp;

use crate::story::Story;

/// Between two tasks lie the commit and the start of a process; a longer time in which no task lives is rest.
const SHORTEST: Duration = Duration::from_secs(1);

/// The times of rest, in order.
pub(crate) struct Rests(Vec<(Timestamp, Timestamp)>);

impl Rests {
    /// A task lives from ready to ended; what no task covers is rest.
    pub fn of(story: &Story<'_>) -> Rests {
        let end = story.run.ended.unwrap_or(story.now);
        let mut lives: Vec<(Timestamp, Timestamp)> =
            story.tasks.iter().map(|task| (task.ready, task.ended.unwrap_or(end))).collect();
        lives.sort_unstable();
        let mut rests = Vec::new();
        let mut covered = story.run.created;
        for (from, to) in lives {
            if from.since(covered) > SHORTEST {
                rests.push((covered, from));
            }
            covered = covered.max(to);
        }
        Rests(rests)
    }

    /// From one moment to another, without what was rest.
    pub fn between(&self, from: Timestamp, to: Timestamp) -> Duration {
        let rest = self.0.iter().map(|&(begin, end)| end.min(to).since(begin.max(from)));
        to.since(from).saturating_sub(rest.sum())
    }
}
