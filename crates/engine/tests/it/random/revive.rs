//! Ended runs go on: from their failures, from any task, from the beginning.

use partitur_model::record::{RunOutcome, RunState};

use super::driver::Driver;
use super::oracle::{End, Oracle, State, States};
use super::spec::{Piece, What, closes, find, is_own_fork, name_of};

impl Driver {
    /// The run has ended: it goes on in one of the ways there are, or the case is over.
    pub(super) fn revive(&mut self) -> bool {
        self.revivals += 1;
        if self.revivals > 4 {
            return false;
        }
        self.shadow = None;
        match self.dice.below(8) {
            0 => self.restart(),
            1..3 if !self.spec.fail_fast && !self.oracle.stopped.contains_key("") => self.rerun(),
            3 if !self.spec.fail_fast && !self.oracle.stopped.contains_key("") => self.retry_child(),
            4 => self.retry(true),
            _ => self.retry(false),
        }
        self.paused = false;
        true
    }

    fn restart(&mut self) {
        let now = self.oracle.now;
        self.oracle = Oracle::default();
        self.oracle.now = now;
        self.give("restart");
    }

    fn rerun(&mut self) {
        let root = self.root().id;
        let rows = self.lab.rows.tasks.values().filter(|task| task.run == root);
        let paths: Vec<String> = rows.map(|task| task.path.to_string()).collect();
        if paths.is_empty() {
            return;
        }
        let wanted = self.dice.pick(&paths).clone();
        self.oracle.clear(&self.spec.root, &|path, _| path == wanted);
        self.joins_look_again(&wanted);
        self.give(&format!("rerun {wanted}"));
    }

    /// A task in a fork that fails fast was reset, with what depends on it, maybe beside one that had failed.
    fn joins_look_again(&mut self, wanted: &str) {
        let Some((branch, name)) = wanted.rsplit_once('/').filter(|_| is_own_fork(wanted)) else { return };
        let fork = branch.rsplit_once('[').map(|(fork, _)| name_of(fork)).expect("it is a branch");
        let body = find(&self.spec.root, fork).and_then(Piece::body).expect("a fork has a body");
        let mut reset: Vec<bool> = Vec::new();
        for piece in &body.nodes {
            reset.push(piece.name == name || piece.needs.iter().any(|(source, _)| reset[*source]));
        }
        let turns = (0..body.nodes.len()).filter(|&at| reset[at]).collect();
        if closes(&self.spec.root, fork) {
            self.oracle.join_closes(&self.spec.root, branch, reset, turns);
        }
    }

    fn retry(&mut self, fresh: bool) {
        let input = if fresh { "retry fresh" } else { "retry" };
        if self.root().state == RunState::Ended(RunOutcome::Succeeded) {
            self.seen.note("retry succeeded run");
            let told = self.give(input);
            assert!(told.concat().starts_with("refused"), "{told:?}");
            return;
        }
        let states = self.cut_off("");
        let target = |path: &str, piece: &Piece| match states.get(path) {
            None if path.ends_with('>') => true,
            Some(State::Ended(End::Cancelled)) => match piece.what {
                _ if piece.is_leaf() => true,
                What::Sub(_) => fresh,
                _ => false,
            },
            Some(State::Ended(End::Bad)) => match piece.what {
                _ if piece.is_leaf() => !piece.optional,
                What::Sub(_) => fresh,
                _ => false,
            },
            Some(State::Runs | State::Pauses(_) | State::Sleeps(_)) => true,
            Some(State::Open) => fresh && matches!(piece.what, What::Sub(_)),
            Some(State::Ended(End::Good | End::Skipped) | State::Waits) | None => false,
        };
        self.oracle.clear(&self.spec.root, &target);
        self.oracle.stopped.remove("");
        self.give(input);
    }

    /// How far everything in a run was when it was stopped: with it, what ran then is done again.
    fn cut_off(&self, prefix: &str) -> States {
        let mut oracle = self.oracle.clone();
        oracle.stopped.retain(|stopped, _| !stopped.starts_with(prefix));
        oracle.states(&self.spec.root)
    }

    /// A failed sub-run is retried by itself: it revives the runs above it.
    pub(super) fn retry_child(&mut self) {
        let children: Vec<(u64, String)> = self
            .prefixes()
            .into_iter()
            .filter(|(run, prefix)| {
                !prefix.is_empty() && self.state_of(*run) == RunState::Ended(RunOutcome::Failed)
            })
            .filter(|(_, prefix)| !self.oracle.is_stopped(prefix))
            .collect();
        if children.is_empty() {
            return;
        }
        let (run, prefix) = self.dice.pick(&children).clone();
        if prefix.contains('#') && !self.root().state.is_ended() {
            // A loop that has gone on does not go back.
            return;
        }
        let states = self.cut_off(&prefix);
        let target = |path: &str, piece: &Piece| {
            let failed = match states.get(path) {
                Some(State::Ended(End::Cancelled)) => true,
                Some(State::Ended(End::Bad)) => !piece.optional,
                Some(State::Runs | State::Pauses(_) | State::Sleeps(_)) => true,
                _ => false,
            };
            path.starts_with(&prefix) && (path.ends_with('>') || piece.is_leaf() && failed)
        };
        if !self.root().state.is_ended() {
            self.seen.note("retry sub-run of a living run");
        }
        self.oracle.clear(&self.spec.root, &target);
        self.give(&format!("{run}: retry"));
    }
}
