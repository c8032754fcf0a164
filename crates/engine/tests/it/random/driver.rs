//! Drives one random case, and compares after every input.

use std::collections::BTreeMap;

use partitur_model::RunId;
use partitur_model::record::{
    RunOutcome, RunRecord, RunState, StopCause, TaskOutcome, TaskRecord, TaskState,
};

use super::oracle::{End, Oracle, State, States};
use super::spec::{Dice, Graph, Piece, Spec, What, author, definition};
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
}

impl Outcome {
    pub fn and(mut self, other: Outcome) -> Outcome {
        self.inputs += other.inputs;
        self.attempts += other.attempts;
        self.failed.extend(other.failed);
        self.met.add(&other.met);
        self
    }
}

pub struct Driver {
    dice: Dice,
    spec: Spec,
    lab: Lab,
    /// Recovered from the rows at some point, and given the same inputs since.
    shadow: Option<Lab>,
    oracle: Oracle,
    states: States,
    paused: bool,
    crashes: usize,
    revivals: usize,
    inputs: u64,
    talks: bool,
    pub log: Vec<String>,
}

impl Driver {
    pub fn new(seed: u64, talks: bool) -> Driver {
        let mut dice = Dice::new(seed);
        let spec = author(&mut dice);
        let mut lab = Lab::new();
        lab.recovers = false;
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
            talks,
            log: Vec::new(),
        }
    }

    pub fn outcome(&self) -> Outcome {
        let attempts = self.lab.past.len() as u64;
        Outcome { inputs: self.inputs, attempts, failed: Vec::new(), met: self.lab.met.clone() }
    }

    pub fn run(&mut self) {
        if self.talks {
            println!("{:#?}", self.spec);
        }
        let told = self.lab.submit(definition(&self.spec));
        self.note("submit", told);
        self.compare();
        while self.inputs < INPUTS_MAX && self.turn() {
            self.compare();
            if self.dice.chance(25) {
                self.lab.compare_with_recovered();
            }
        }
    }

    fn note(&mut self, input: &str, told: Vec<String>) {
        self.inputs += 1;
        let line = format!("{input} => {}", told.join(", "));
        if self.talks {
            println!("{line}");
        }
        self.log.push(line);
    }

    fn give(&mut self, input: &str) -> Vec<String> {
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

    fn root(&self) -> &RunRecord {
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
            5..8 => self.lab.evict_all(),
            8..12 => self.say_again(),
            12..14 if self.may_pause() => self.pause(),
            14 if !self.paused => self.cancel_run(),
            15 if !self.paused => self.cancel_child(),
            17..22 if self.may_revive() => self.retry_child(),
            22..40 if !self.oracle.resetting.is_empty() => self.disturb(),
            16 if self.shadow.is_none() => self.shadow = Some(self.lab.snapshot()),
            _ if self.paused && self.dice.chance(25) => self.unpause(),
            17..25 => self.tick(),
            _ if self.lab.live.is_empty() => self.wait(),
            _ => self.report(),
        }
        true
    }

    /// Nothing lives: time has to pass, or somebody has to let the run go on.
    fn wait(&mut self) {
        let pauses = self.states.values().any(|state| matches!(state, State::Pauses(_)));
        assert!(self.paused || pauses, "nothing lives, and nothing will: {:?}", self.states);
        if self.paused { self.unpause() } else { self.tick() }
    }

    /// While something waits to begin anew, which is short and rare, more happens than otherwise.
    fn disturb(&mut self) {
        match self.dice.below(3) {
            0 if self.crashes < 5 => self.crash(),
            1 if !self.paused => self.cancel_run(),
            _ => self.cancel_something(),
        }
    }

    /// Whether a failed sub-run may be retried while the runs above it live.
    fn may_revive(&self) -> bool {
        let calm = self.oracle.stopped.is_empty() && self.oracle.resetting.is_empty();
        calm && !self.paused && !self.spec.fail_fast && self.root().state == RunState::Running
    }

    fn tick(&mut self) {
        self.oracle.now += 1;
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
            let attempts = self.attempts_of(&name);
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
        let state = self.oracle.states(&self.spec.root).get(path).copied();
        if !matches!(state, Some(State::Ended(End::Bad | End::Cancelled))) {
            return self.fail_fast();
        }
        let optional = find(&self.spec.root, name_of(path)).expect("it is a task of the definition").optional;
        if let Some(fork) = path.rsplit_once('[').map(|(fork, _)| fork.to_owned())
            && !optional
            && is_own_fork(path)
            && closes(&self.spec.root, name_of(&fork))
        {
            self.oracle.close(&fork, before);
        }
        self.fail_fast();
    }

    fn fail_fast(&mut self) {
        let states = self.oracle.states(&self.spec.root);
        let fails = |(path, state): (&String, &State)| {
            let optional = || find(&self.spec.root, name_of(path)).is_some_and(|piece| piece.optional);
            !path.contains('>') && matches!(state, State::Ended(End::Bad | End::Cancelled)) && !optional()
        };
        if self.spec.fail_fast && !self.oracle.stopped.contains_key("") && states.iter().any(fails) {
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
            )
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
        let stopping = self.oracle.stopping.clone();
        self.oracle.crash();
        for path in stopping {
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

    fn state_of(&self, run: u64) -> RunState {
        self.lab.rows.runs[&self.lab.run_id(run)].state
    }

    /// The run has ended: it goes on in one of the ways there are, or the case is over.
    fn revive(&mut self) -> bool {
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
        if is_own_fork(&wanted)
            && let Some(fork) = wanted.rsplit_once('[').map(|(fork, _)| name_of(fork))
            && let Some(What::Each { fail_fast: true, body, .. }) =
                find(&self.spec.root, fork).map(|piece| &piece.what)
        {
            self.oracle.close_again(&self.spec.root, body, &wanted);
        }
        self.give(&format!("rerun {wanted}"));
    }

    fn retry(&mut self, fresh: bool) {
        let input = if fresh { "retry fresh" } else { "retry" };
        if self.root().state == RunState::Ended(RunOutcome::Succeeded) {
            let told = self.give(input);
            assert!(told.concat().starts_with("refused"), "{told:?}");
            return;
        }
        let states = self.cut_off("");
        let target = |path: &str, piece: &Piece| match states.get(path) {
            None if path.ends_with('>') => true,
            Some(State::Ended(End::Cancelled)) => match piece.what {
                What::Task { .. } | What::Join { .. } | What::Noop => true,
                What::Sub(_) => fresh,
                What::Each { .. } | What::Loop { .. } => false,
            },
            Some(State::Ended(End::Bad)) => match piece.what {
                What::Task { .. } | What::Join { .. } | What::Noop => !piece.optional,
                What::Sub(_) => fresh,
                What::Each { .. } | What::Loop { .. } => false,
            },
            Some(State::Runs | State::Pauses(_)) => true,
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
    fn retry_child(&mut self) {
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
            let leaf = matches!(piece.what, What::Task { .. } | What::Join { .. } | What::Noop);
            let failed = match states.get(path) {
                Some(State::Ended(End::Cancelled)) => true,
                Some(State::Ended(End::Bad)) => !piece.optional,
                Some(State::Runs | State::Pauses(_)) => true,
                _ => false,
            };
            path.starts_with(&prefix) && (path.ends_with('>') || leaf && failed)
        };
        self.oracle.clear(&self.spec.root, &target);
        self.give(&format!("{run}: retry"));
    }

    /// The runs that somebody waits for, by number, and what their paths begin with.
    fn prefixes(&self) -> BTreeMap<u64, String> {
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

    fn attempts_of(&self, path: &str) -> u32 {
        match find(&self.spec.root, name_of(path)).map(|piece| &piece.what) {
            Some(What::Task { attempts, .. }) => *attempts,
            _ => unreachable!("only tasks have attempts"),
        }
    }

    // The comparison.

    fn compare(&mut self) {
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
        self.states = self.oracle.states(&self.spec.root);
        self.oracle.last = self.states.clone();
        let rows: BTreeMap<String, &TaskRecord> =
            self.lab.rows.tasks.values().filter_map(|row| Some((full(row.run, &row.path)?, row))).collect();
        let frozen = self.paused || !self.oracle.resetting.is_empty() || self.oracle.stopped.contains_key("");
        for (path, state) in &self.states {
            let waits = frozen || self.oracle.is_stopped(path);
            self.compare_one(path, *state, rows.get(path).copied(), waits);
        }
        self.compare_run();
    }

    fn compare_one(&self, path: &str, state: State, row: Option<&TaskRecord>, frozen: bool) {
        let lives = self.oracle.live.contains(path);
        let ended = row.and_then(end_of);
        match state {
            _ if frozen => {}
            State::Ended(end) => {
                let was_dropped = row.is_none() && path.contains('#');
                assert!(ended == Some(end) || was_dropped, "{path} ended {end:?}, and the row says {row:?}");
            }
            State::Runs => {
                let held = || self.waits_for_lock(path);
                assert!(lives || held(), "{path} should run: {row:?}");
                assert_eq!(ended, None, "{path} should run");
            }
            State::Waits | State::Pauses(_) | State::Open => {
                let stops = self.oracle.stopping.contains(path);
                assert!(!lives || stops, "{path} is {state:?} and should not run");
                assert_eq!(ended, None, "{path} is {state:?}");
            }
        }
    }

    /// Whether another living attempt has the lock that the task wants.
    fn waits_for_lock(&self, path: &str) -> bool {
        let lock_of = |path: &str| match find(&self.spec.root, name_of(path)).map(|piece| &piece.what) {
            Some(What::Task { lock, .. }) => *lock,
            _ => None,
        };
        let wanted = lock_of(path);
        let held = self.lab.live.keys().filter(|(_, other)| lock_of(other) == wanted).count();
        assert!(wanted.is_none() || held <= 1, "a lock has two holders");
        wanted.is_some() && held == 1
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
            State::Waits | State::Runs | State::Pauses(_) | State::Open => None,
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

/// The name of the task at the end of a path: names are unique in a random definition.
fn name_of(path: &str) -> &str {
    path.rsplit(['/', '>']).next().unwrap_or(path)
}

/// Whether the nearest thing around the task is a branch.
fn is_own_fork(path: &str) -> bool {
    path.rsplit_once('/').is_some_and(|(around, _)| around.ends_with(']'))
}

fn find<'a>(graph: &'a Graph, name: &str) -> Option<&'a Piece> {
    graph.nodes.iter().find_map(|piece| match &piece.what {
        _ if piece.name == name => Some(piece),
        What::Each { body, .. } | What::Loop { body, .. } | What::Sub(body) => find(body, name),
        What::Task { .. } | What::Noop | What::Join { .. } => None,
    })
}

fn closes(graph: &Graph, name: &str) -> bool {
    matches!(find(graph, name).map(|piece| &piece.what), Some(What::Each { fail_fast: true, .. }))
}
