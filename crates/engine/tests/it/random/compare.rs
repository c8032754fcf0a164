//! The rows of the engine against what the oracle says, after every input.

use std::collections::BTreeMap;

use partitur_model::record::{RunOutcome, RunState, TaskOutcome, TaskRecord, TaskState};
use partitur_model::{RunId, Timestamp};

use super::driver::Driver;
use super::oracle::{End, State};
use super::spec::{What, find, name_of};

/// What a task may have to wait for.
enum Lack {
    Lock,
    Slot,
}

impl Driver {
    pub fn compare(&mut self) {
        let prefixes = self.prefixes();
        let full =
            |run: RunId, path: &str| prefixes.get(&run.number()).map(|prefix| format!("{prefix}{path}"));
        self.oracle.live = self
            .lab
            .live
            .values()
            .zip(self.lab.live.keys())
            .filter_map(|(id, (_, path))| full(id.run, path))
            .collect();
        // The attempts of a sub-run that was replaced are nobody's.
        let living = &self.oracle.live;
        self.oracle.resetting.retain(|path| living.contains(path));
        let runs = prefixes.values().map(String::as_str).collect();
        self.oracle.note_begun(&self.spec.root, self.paused, &runs);
        self.states = self.oracle.states(&self.spec.root);
        self.oracle.last = self.states.clone();
        let rows: BTreeMap<String, &TaskRecord> =
            self.lab.rows.tasks.values().filter_map(|row| Some((full(row.run, &row.path)?, row))).collect();
        let frozen = self.paused || !self.oracle.resetting.is_empty() || self.oracle.stopped.contains_key("");
        let mut parked = [false; 2];
        for (path, state) in &self.states {
            let waits = frozen || self.oracle.is_stopped(path);
            match self.compare_one(path, *state, rows.get(path).copied(), waits) {
                Some(Lack::Lock) => parked[0] = true,
                Some(Lack::Slot) => parked[1] = true,
                None => {}
            }
        }
        self.seen.note_if(parked[0], "second holder waits");
        self.seen.note_if(parked[1], "attempt waits for a slot");
        self.seen.note_if(self.oracle.is_someone_late(), "attempt takes too long");
        self.seen.note_if(!self.oracle.resetting.is_empty(), "something begins anew");
        self.compare_run();
    }

    /// Says what the task lacks, if it waits for something.
    fn compare_one(&self, path: &str, state: State, row: Option<&TaskRecord>, frozen: bool) -> Option<Lack> {
        let lives = self.oracle.live.contains(path);
        let ended = row.and_then(end_of);
        match state {
            _ if frozen => {}
            State::Ended(end) => {
                let was_dropped = row.is_none() && path.contains('#');
                assert!(ended == Some(end) || was_dropped, "{path} ended {end:?}, and the row says {row:?}");
            }
            State::Runs => {
                let lack = if lives { None } else { self.lack(path) };
                assert!(lives || lack.is_some(), "{path} should run: {row:?}");
                assert_eq!(ended, None, "{path} should run");
                return lack;
            }
            State::Sleeps(until) => {
                let until =
                    if until == u64::MAX { Timestamp::MAX } else { Timestamp::from_millis(until * 1000) };
                let waits = row.is_some_and(|row| row.state == TaskState::Waiting { until });
                assert!(waits, "{path} should wait until {until:?}: {row:?}");
            }
            State::Waits | State::Pauses(_) | State::Open => {
                let stops = self.oracle.stopping.contains(path);
                assert!(!lives || stops, "{path} is {state:?} and should not run");
                assert_eq!(ended, None, "{path} is {state:?}");
            }
        }
        None
    }

    /// What other living attempts keep from the task: the lock that it wants, or the slots of its run.
    fn lack(&self, path: &str) -> Option<Lack> {
        let lock_of = |path: &str| match find(&self.spec.root, name_of(path)).map(|piece| &piece.what) {
            Some(What::Task { lock, .. }) => *lock,
            _ => None,
        };
        let wanted = lock_of(path);
        let held = self.lab.live.keys().filter(|(_, other)| lock_of(other) == wanted).count();
        assert!(wanted.is_none() || held <= 1, "a lock has two holders");
        if wanted.is_some() && held == 1 {
            return Some(Lack::Lock);
        }
        let used = self.lab.live.keys().filter(|(run, _)| *run == 1).count();
        let slots = self.spec.slots.filter(|_| !path.contains('>'))?;
        assert!(used <= slots, "{used} attempts of a run with {slots} slots");
        (used == slots).then_some(Lack::Slot)
    }

    fn compare_run(&self) {
        let state = self.root().state;
        let expected = match self.oracle.stopped.get("") {
            Some(end) if self.oracle.live.is_empty() => Some(*end),
            Some(_) => None,
            // What begins anew is not begun before its old attempts are dead.
            None if !self.oracle.resetting.is_empty() => None,
            None => self.natural_end(),
        };
        let ended = match state {
            RunState::Ended(RunOutcome::Succeeded) => Some(End::Good),
            RunState::Ended(RunOutcome::Failed) => Some(End::Bad),
            RunState::Ended(RunOutcome::Cancelled) => Some(End::Cancelled),
            RunState::Running | RunState::Paused | RunState::Ending(_) => None,
            RunState::Ended(_) | RunState::RollingBack(_) => unreachable!("no random run is rolled back"),
        };
        assert!(ended == expected || self.paused, "the run is {state:?}; it should have ended {expected:?}");
    }

    fn natural_end(&self) -> Option<End> {
        let ends = self.spec.root.nodes.iter().map(|piece| match self.states[&piece.name] {
            State::Ended(end) => Some(matches!(end, End::Bad | End::Cancelled) && !piece.optional),
            State::Waits | State::Runs | State::Pauses(_) | State::Sleeps(_) | State::Open => None,
        });
        let failed = ends.collect::<Option<Vec<bool>>>()?.contains(&true);
        Some(if failed { End::Bad } else { End::Good })
    }
}

fn end_of(row: &TaskRecord) -> Option<End> {
    match row.state {
        TaskState::Ended(TaskOutcome::Succeeded) => Some(End::Good),
        TaskState::Ended(TaskOutcome::Failed | TaskOutcome::TimedOut) => Some(End::Bad),
        TaskState::Ended(TaskOutcome::Cancelled) => Some(End::Cancelled),
        TaskState::Ended(TaskOutcome::Skipped) => Some(End::Skipped),
        TaskState::Blocked
        | TaskState::Ready
        | TaskState::Running { .. }
        | TaskState::Stopping { .. }
        | TaskState::Backoff { .. }
        | TaskState::Waiting { .. }
        | TaskState::Open => None,
    }
}
