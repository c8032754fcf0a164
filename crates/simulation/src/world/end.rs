//! The end: everything is mended, and everybody who is waited for comes.

use partitur_engine::Command;
use partitur_model::record::{RunState, TaskState};
use partitur_model::{Payload, RunId};

use super::{Runs, Stop, World};
use crate::checkers::Seen;
use crate::disk::Disk;
use crate::faults::CrashPoint;

impl<D: Disk> World<D> {
    /// No event is left. Says whether there are some now.
    pub(super) fn nothing_happens(&mut self) -> Result<bool, String> {
        let stop = |stop| match stop {
            Stop::Wrong(problem) => problem,
            Stop::Crash(point) => format!("a crash {point:?} that nobody planned"),
        };
        self.watch(&Seen::Idle).map_err(stop)?;
        if self.shard.as_ref().is_some_and(|shard| !shard.is_quiet()) {
            return Err("something is decided and never becomes durable".to_owned());
        }
        self.mend().map_err(stop)?;
        let is_over = self.events.is_empty();
        if is_over && self.swept && self.house.retention.settled.is_none() {
            return Err("what is to go does not go though nobody is in the way".to_owned());
        }
        Ok(!is_over)
    }

    /// Everybody who is waited for comes.
    pub(super) fn mend(&mut self) -> Result<(), Stop> {
        let mut wishes: Vec<(RunId, Command)> = Vec::new();
        for run in self.durable.runs().filter(|run| !run.state.is_ended()) {
            if run.state == RunState::Paused {
                wishes.push((run.id, Command::Unpause));
            }
            for task in self.durable.tasks(run.id) {
                if matches!(task.state, TaskState::Waiting { .. }) && task.child.is_none() {
                    let task = task.path.to_string();
                    wishes.push((run.id, Command::Signal { task, result: Ok(Payload::Null) }));
                }
            }
        }
        for (run, command) in wishes {
            self.command(run, command)?;
        }
        if self.runs.is_served() {
            self.everybody_comes()?;
        }
        if !self.processes.unheard.is_empty() {
            // Of these nothing will ever be heard: only a start of the node finds out.
            self.crash(CrashPoint::AtRest);
        }
        let all_ended = self.durable.runs().all(|run| run.state.is_ended());
        if self.runs == Runs::Managed && all_ended && self.events.is_empty() && !self.swept {
            self.swept = true;
            self.last_sweep()?;
        }
        Ok(())
    }
}
