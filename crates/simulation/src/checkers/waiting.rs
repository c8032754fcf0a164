//! A task that is ready starts when there is room for it.

use std::collections::BTreeMap;
use std::time::Duration;

use partitur_engine::admission::{Blocker, TaskKey};
use partitur_model::Timestamp;

use super::{Checker, Scene, Seen};

/// So long a task may wait for nobody.
const PATIENCE: Duration = Duration::from_secs(2);

/// Remembers since when a task waits although nobody holds what it waits for.
#[derive(Default)]
pub struct Waiting {
    free_since: BTreeMap<TaskKey, Timestamp>,
}

impl Checker for Waiting {
    fn watch(&mut self, scene: &Scene<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Rest if !scene.in_trouble => self.look(scene),
            Seen::Started(_) => {
                self.free_since.clear();
                Ok(())
            }
            Seen::Rest | Seen::Effect(_) | Seen::Commit(_) | Seen::Idle | Seen::Killed => Ok(()),
        }
    }
}

impl Waiting {
    fn look(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        let waits = scene.engine.waits();
        let for_nobody = waits.iter().filter(|wait| {
            let blocked = match wait.blocked_on {
                Blocker::Undecided => false,
                Blocker::Resource(_) => !wait.held_by.is_empty() || !wait.kept_for.is_empty(),
                Blocker::Rate(..) | Blocker::Breaker(..) => true,
            };
            !blocked
        });
        let found: BTreeMap<TaskKey, Timestamp> = for_nobody
            .map(|wait| (wait.task, self.free_since.get(&wait.task).copied().unwrap_or(scene.now)))
            .collect();
        self.free_since = found;
        match self.free_since.iter().find(|(_, since)| scene.now.since(**since) > PATIENCE) {
            Some((task, since)) => {
                let path = scene.engine.path(task.run, task.task).unwrap_or("?");
                Err(format!("`{path}` of {:?} waits for what nobody holds, since {since:?}", task.run))
            }
            None => Ok(()),
        }
    }
}
