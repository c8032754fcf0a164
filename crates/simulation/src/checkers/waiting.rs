//! A task that is ready starts when there is room for it.

use std::collections::BTreeMap;
use std::time::Duration;

use partitur_engine::admission::{Blocker, ResourceId, TaskKey, WaitView};
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
            Seen::Rest
            | Seen::Effect(_)
            | Seen::Commit(_)
            | Seen::Idle
            | Seen::Killed
            | Seen::Forgotten(_) => Ok(()),
        }
    }
}

/// How resources begin whose units are polls.
const WORKERS: &str = "workers/";

/// Whether it waits for a worker: nobody holds one, and one that has come gets the task.
fn is_worker(scene: &Scene<'_>, resource: ResourceId) -> bool {
    scene.engine.resource_name(resource).starts_with(WORKERS)
}

fn waits_for_limit(scene: &Scene<'_>, wait: &WaitView) -> bool {
    match wait.blocked_on {
        Blocker::Rate(..) => true,
        Blocker::Resource(resource) => !is_worker(scene, resource),
        Blocker::Undecided | Blocker::Breaker(..) => false,
    }
}

impl Waiting {
    fn look(&mut self, scene: &Scene<'_>) -> Result<(), String> {
        let waits = scene.engine.waits();
        let for_nobody = waits.iter().filter(|wait| {
            let blocked = match wait.blocked_on {
                Blocker::Undecided => false,
                Blocker::Resource(resource) if is_worker(scene, resource) => {
                    let name = scene.engine.resource_name(resource).strip_prefix(WORKERS);
                    // Who comes first may have a worker already, and wait for something else.
                    let is_first = !waits.iter().any(|other| waits_for_limit(scene, other));
                    // The answer to a poll may be on its way to the disk.
                    let mut open = scene.calls.values().filter(|_| scene.is_quiet);
                    !(is_first && open.any(|call| call.queue.as_deref() == name))
                }
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
                let what = waits.iter().find(|wait| wait.task == *task).map(|wait| wait.blocked_on);
                let what = what.map(|blocker| match blocker {
                    Blocker::Undecided => "its turn".to_owned(),
                    Blocker::Resource(resource)
                    | Blocker::Rate(resource, _)
                    | Blocker::Breaker(resource, _) => scene.engine.resource_name(resource).to_owned(),
                });
                let run = task.run;
                Err(format!("`{path}` of {run:?} waits for {what:?}, which nobody holds, since {since:?}"))
            }
            None => Ok(()),
        }
    }
}
