//! Drives one random case, and compares after every input.

use std::collections::BTreeMap;

use partitur_model::Payload;
use partitur_model::record::{RunRecord, RunState, StopCause, TaskRecord, TaskState};

use super::oracle::{End, Oracle, State, States, successors};
use super::seen::Seen;
use super::spec::{
    Dice, Graph, Piece, Spec, What, author, closes, definition, find, is_own_fork, name_of, options, wanted,
};
use crate::lab::Lab;
use crate::met::Met;

/// No case has more inputs.
const INPUTS_MAX: u64 = 400;

/// What came of some cases.
#[derive(Default)]
pub struct Outcome {
    pub inputs: u64,
    pub attempts: u64,
    /// Inputs and seed of each case that failed.
    pub failed: Vec<(u64, u64)>,
    pub met: Met,
    pub seen: Seen,
}

impl Outcome {
    pub fn and(mut self, other: Outcome) -> Outcome {
        self.inputs += other.inputs;
        self.attempts += other.attempts;
        self.failed.extend(other.failed);
        self.met.add(&other.met);
        self.seen.add(&other.seen);
        self
    }
}

pub struct Driver {
    pub(super) dice: Dice,
    pub(super) spec: Spec,
    pub(super) lab: Lab,
    /// Recovered from the rows at some point, and given the same inputs since.
    pub(super) shadow: Option<Lab>,
    pub(super) oracle: Oracle,
    pub(super) states: States,
    pub(super) paused: bool,
    crashes: usize,
    pub(super) revivals: usize,
    inputs: u64,
    pub(super) seen: Seen,
    talks: bool,
    pub log: Vec<String>,
}

impl Driver {
    pub fn new(seed: u64, talks: bool) -> Driver {
        let mut dice = Dice::new(seed);
        let spec = author(&mut dice);
        let mut lab = Lab::new();
        lab.recovers = false;
        let mut seen = Seen::default();
        seen.note_spec(&spec);
        Driver {
            dice,
            spec,
            lab,
            shadow: None,
            oracle: Oracle::default(),
            states: States::new(),
            paused: false,
            crashes: 0,
            revivals: 0,
            inputs: 0,
            seen,
            talks,
            log: Vec::new(),
        }
    }

    pub fn outcome(&self) -> Outcome {
        let attempts = self.lab.past.len() as u64;
        let mut seen = self.seen.clone();
        seen.note_length(self.inputs);
        Outcome { inputs: self.inputs, attempts, failed: Vec::new(), met: self.lab.met.clone(), seen }
    }

    pub fn run(&mut self) {
        if self.talks {
            println!("{:#?}", self.spec);
        }
        let (definition, options) = (definition(&self.spec), options(&self.spec));
        let told = self.lab.submit_with(definition, Payload::object::<&str>([]), options);
        // What was left out is not there for the oracle.
        self.spec.root = wanted(&self.spec);
        self.note("submit", told);
        self.compare();
        while self.inputs < INPUTS_MAX && self.turn() {
            self.compare();
            self.lab.compare_with_recovered();
        }
        self.log.push(self.lab.engine.describe());
    }

    fn note(&mut self, input: &str, told: Vec<String>) {
        self.inputs += 1;
        let line = format!("{input} => {}", told.join(", "));
        if self.talks {
            println!("{line}");
        }
        self.log.push(line);
    }

    pub(super) fn give(&mut self, input: &str) -> Vec<String> {
        self.seen.note_input(input);
        let told = self.lab.text_input(input);
        if let Some(shadow) = &mut self.shadow {
            shadow.now = self.lab.now;
            let (mut one, mut other) = (told.clone(), shadow.text_input(input));
            one.sort();
            other.sort();
            assert_eq!(one, other, "straight / from a snapshot, at `{input}`");
        }
        self.note(input, told.clone());
        told
    }

    pub(super) fn root(&self) -> &RunRecord {
        self.lab.rows.runs.values().next().expect("the run was submitted")
    }

    /// One input. Says whether there was anything left to do.
    fn turn(&mut self) -> bool {
        if self.root().state.is_ended() && self.lab.live.is_empty() {
            return self.revive();
        }
        if self.talks && self.lab.engine.resident().count() == 0 {
            println!("(nothing is in memory)");
        }
        match self.dice.below(100) {
            0..3 => self.cancel_something(),
            3..5 if self.crashes < 5 => self.crash(),
            5..8 => self.leave_memory(),
            8..12 => self.say_again(),
            12..14 if self.may_pause() => self.pause(),
            14 if !self.paused => self.cancel_run(),
            15 if !self.paused => self.cancel_child(),
            17..22 if self.may_revive() => self.retry_child(),
            22..40 if !self.oracle.resetting.is_empty() => self.disturb(),
            16 if self.shadow.is_none() && self.is_whole() => {
                self.seen.note("snapshot");
                self.shadow = Some(self.lab.snapshot());
            }
            25..29 if self.signal() => {}
            _ if self.paused && self.dice.chance(25) => self.unpause(),
            17..25 => self.tick(),
            _ if self.lab.live.is_empty() => self.wait(),
            _ => self.report(),
        }
        true
    }

    /// Who must come back into memory first may be the second to ask for a lock: with locks, only an engine that does
    /// the same goes the same way.
    fn leave_memory(&mut self) {
        self.seen.note("leaves memory");
        self.lab.evict_all();
        if self.spec.has_locks() {
            self.shadow = None;
        }
    }

    fn is_whole(&self) -> bool {
        let mut living = self.lab.rows.runs.values().filter(|run| !run.state.is_ended());
        !self.spec.has_locks() || living.all(|run| self.lab.engine.run(run.id).is_some())
    }

    /// Nothing lives: time has to pass, or somebody has to let the run go on.
    fn wait(&mut self) {
        let passes = |state: &State| matches!(state, State::Pauses(_) | State::Sleeps(_));
        let later = self.states.values().any(passes);
        assert!(self.paused || later, "nothing lives, and nothing will: {:?}", self.states);
        match self.dice.below(2) {
            _ if self.paused => self.unpause(),
            0 if self.signal() => {}
            _ => self.tick(),
        }
    }

    /// Ends a wait from outside. Says whether there was one.
    fn signal(&mut self) -> bool {
        let prefixes = self.prefixes();
        let waiting = self.states.iter().filter(|(path, state)| {
            matches!(state, State::Sleeps(_)) && self.oracle.waits(path) && !self.oracle.is_stopped(path)
        });
        let waiting: Vec<String> = waiting.map(|(path, _)| path.clone()).collect();
        if waiting.is_empty() {
            return false;
        }
        let path = self.dice.pick(&waiting).clone();
        let (prefix, _) = path.rsplit_once('>').map_or(("", ""), |(run, rest)| (&path[..=run.len()], rest));
        let Some((run, _)) = prefixes.iter().find(|(_, known)| *known == prefix) else { return false };
        let (input, good) = *self.dice.pick(&[("signal", true), ("signal", true), ("signal-fail", false)]);
        let before = self.states.clone();
        self.oracle.signal(&path, good);
        self.failure_spreads(&path, &before);
        self.give(&format!("{run}: {input} {}", &path[prefix.len()..]));
        true
    }

    /// While something waits to begin anew, which is short and rare, more happens than otherwise.
    fn disturb(&mut self) {
        match self.dice.below(4) {
            0 if self.crashes < 5 => self.crash(),
            1 if !self.paused => self.cancel_run(),
            2 if self.may_pause() => self.pause(),
            2 if self.paused => self.unpause(),
            _ => self.cancel_something(),
        }
    }

    /// Whether a failed sub-run may be retried while the runs above it live.
    fn may_revive(&self) -> bool {
        let calm = self.oracle.stopped.is_empty() && self.oracle.resetting.is_empty();
        calm && !self.paused && !self.spec.fail_fast && self.root().state == RunState::Running
    }

    fn tick(&mut self) {
        let before = self.states.clone();
        let mut over = self.oracle.tick(&self.spec.root);
        // What is due at once comes in the order of runs and of the numbers of their tasks.
        let prefixes = self.prefixes();
        let place = |path: &str| {
            let rows = self.lab.rows.tasks.values();
            let mut known = rows.filter_map(|row| Some((prefixes.get(&row.run.number())?, row)));
            known
                .find(|(prefix, row)| path.strip_prefix(prefix.as_str()) == Some(&*row.path))
                .map(|(_, row)| (row.run, row.seq))
        };
        over.sort_by_cached_key(|(until, path, _)| (*until, place(path)));
        for (_, path, good) in over {
            if !self.oracle.is_stopped(&path) {
                self.oracle.signal(&path, good);
                self.failure_spreads(&path, &before);
            }
        }
        self.lab.now = self.lab.now + std::time::Duration::from_secs(1);
        self.give("tick");
    }

    fn report(&mut self) {
        let living: Vec<(u64, String)> = self.lab.live.keys().cloned().collect();
        let (run, name) = self.dice.pick(&living).clone();
        let (good, go) = (self.dice.chance(78), self.dice.chance(45));
        let how = match (good, go) {
            (true, _) => format!("ok {{\"go\":{go}}}"),
            (false, _) => "fail".to_owned(),
        };
        let before = self.states.clone();
        if let Some(path) = self.full_path(run, &name) {
            let attempts = attempts_of(&self.spec.root, &name);
            let counts = !self.oracle.resetting.contains(&path);
            self.oracle.report(&path, attempts, good, go);
            if counts {
                self.failure_spreads(&path, &before);
            }
        }
        self.give(&format!("{run}: {name} {how}"));
    }

    /// What the end of a task means for the fork around it, and for a run that fails fast.
    fn failure_spreads(&mut self, path: &str, before: &States) {
        if let Some((branch, name)) = path.rsplit_once('/')
            && let Some(fork) = branch.rsplit_once('[').map(|(fork, _)| fork.to_owned())
            && is_own_fork(path)
            && closes(&self.spec.root, name_of(&fork))
            && let Some(&State::Ended(end)) = self.oracle.states(&self.spec.root).get(path)
        {
            let optional = find(&self.spec.root, name).expect("it is a task of the definition").optional;
            if matches!(end, End::Bad | End::Cancelled) && !optional {
                self.oracle.close(&fork, before);
            } else {
                self.joins_hear_of(branch, name, before);
            }
        }
        self.fail_fast();
    }

    /// A task in a fork that fails fast has ended, and the fork goes on.
    fn joins_hear_of(&mut self, branch: &str, name: &str, before: &States) {
        let fork = branch.rsplit_once('[').map(|(fork, _)| name_of(fork)).expect("it is a branch");
        let body = find(&self.spec.root, fork).and_then(Piece::body).expect("a fork has a body");
        let is_open = |piece: &Piece| {
            let ended = matches!(before.get(&format!("{branch}/{}", piece.name)), Some(State::Ended(_)));
            !ended && piece.name != name
        };
        let open = body.nodes.iter().map(is_open).collect();
        let at = body.nodes.iter().position(|piece| piece.name == name).expect("it is in the body");
        self.oracle.join_closes(&self.spec.root, branch, open, successors(body, at).collect());
    }

    fn fail_fast(&mut self) {
        if !self.spec.fail_fast || self.oracle.stopped.contains_key("") {
            return;
        }
        let states = self.oracle.states(&self.spec.root);
        let fails = |(path, state): (&String, &State)| {
            let optional = || find(&self.spec.root, name_of(path)).is_some_and(|piece| piece.optional);
            !path.contains('>') && matches!(state, State::Ended(End::Bad | End::Cancelled)) && !optional()
        };
        if states.iter().any(fails) {
            self.oracle.stopped.insert(String::new(), End::Bad);
        }
    }

    fn cancel_something(&mut self) {
        let in_flight = |task: &&TaskRecord| {
            matches!(
                task.state,
                TaskState::Ready
                    | TaskState::Running { .. }
                    | TaskState::Stopping { .. }
                    | TaskState::Backoff { .. }
            ) || (matches!(task.state, TaskState::Waiting { .. }) && task.child.is_none())
        };
        let root = self.root().id;
        let paths: Vec<String> =
            self.lab.engine.tasks(root).filter(in_flight).map(|task| task.path.to_string()).collect();
        if paths.is_empty() || self.oracle.stopped.contains_key("") {
            return;
        }
        let path = self.dice.pick(&paths).clone();
        let before = self.states.clone();
        if self.oracle.resetting.contains(&path) && !self.begins_anew(&path) {
            // It is inside something that begins anew.
            return;
        }
        self.oracle.resetting.remove(&path);
        self.oracle.cancel(&path);
        self.failure_spreads(&path, &before);
        self.give(&format!("cancel {path}"));
    }

    fn begins_anew(&self, path: &str) -> bool {
        let task = self.lab.engine.tasks(self.root().id).find(|task| &*task.path == path);
        let cause = StopCause::Reset;
        task.is_some_and(
            |task| matches!(task.state, TaskState::Stopping { cause: known, .. } if known == cause),
        )
    }

    fn crash(&mut self) {
        self.crashes += 1;
        self.shadow = None;
        let before = self.states.clone();
        let root = &self.spec.root;
        for path in self.oracle.crash(|path| attempts_of(root, path)) {
            self.failure_spreads(&path, &before);
        }
        self.fail_fast();
        self.give("crash");
    }

    /// A report that was made before, or that comes too late, changes nothing.
    fn say_again(&mut self) {
        let dead: Vec<(u64, String)> = self
            .lab
            .past
            .iter()
            .filter(|(_, attempt)| !self.lab.live.values().any(|live| live == *attempt))
            .map(|(name, _)| name.clone())
            .collect();
        if dead.is_empty() {
            return;
        }
        let (run, name) = self.dice.pick(&dead).clone();
        let how = *self.dice.pick(&["ok", "fail"]);
        let told = self.give(&format!("{run}: old {name} {how}"));
        assert_eq!(told, Vec::<String>::new(), "a late report changes nothing");
    }

    /// The oracle does not know what a paused run has left undone when a fork closes.
    fn may_pause(&self) -> bool {
        let closes = format!("{:?}", self.spec).contains("fail_fast: true");
        !closes && !self.paused && self.root().state == RunState::Running
    }

    fn pause(&mut self) {
        self.paused = true;
        self.give("pause");
    }

    fn unpause(&mut self) {
        self.paused = false;
        if self.root().state == RunState::Paused {
            self.give("unpause");
        }
    }

    fn cancel_run(&mut self) {
        if self.root().state == RunState::Running {
            self.oracle.stopped.insert(String::new(), End::Cancelled);
            self.give("cancel");
        }
    }

    fn cancel_child(&mut self) {
        let children: Vec<(u64, String)> = self
            .prefixes()
            .into_iter()
            .filter(|(run, prefix)| !prefix.is_empty() && self.state_of(*run) == RunState::Running)
            .filter(|(_, prefix)| !self.oracle.is_stopped(prefix))
            .collect();
        if children.is_empty() {
            return;
        }
        let (run, prefix) = self.dice.pick(&children).clone();
        self.oracle.stopped.insert(prefix, End::Cancelled);
        self.fail_fast();
        self.give(&format!("{run}: cancel"));
    }

    pub(super) fn state_of(&self, run: u64) -> RunState {
        self.lab.rows.runs[&self.lab.run_id(run)].state
    }

    /// The runs that somebody waits for, by number, and what their paths begin with.
    pub(super) fn prefixes(&self) -> BTreeMap<u64, String> {
        let mut prefixes = BTreeMap::new();
        for run in self.lab.rows.runs.values() {
            let prefix = match run.parent {
                None => Some(String::new()),
                Some(parent) => {
                    let task = self.lab.rows.tasks.get(&(parent.run, parent.task));
                    let task = task.filter(|task| task.child == Some(run.id));
                    let outer = prefixes.get(&parent.run.number());
                    task.zip(outer).map(|(task, outer): (_, &String)| format!("{outer}{}>", task.path))
                }
            };
            if let Some(prefix) = prefix {
                prefixes.insert(run.id.number(), prefix);
            }
        }
        prefixes
    }

    fn full_path(&self, run: u64, path: &str) -> Option<String> {
        self.prefixes().get(&run).map(|prefix| format!("{prefix}{path}"))
    }
}

fn attempts_of(root: &Graph, path: &str) -> u32 {
    match find(root, name_of(path)).map(|piece| &piece.what) {
        Some(What::Task { attempts, .. }) => *attempts,
        _ => unreachable!("only tasks have attempts"),
    }
}
