//! What a run should be doing, worked out afresh from the ends of its tasks.
//!
//! Nothing is counted and nothing is remembered but facts: how each task ended, and what was stopped. It is slow,
//! and there is nothing in it that could get out of step.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use partitur_model::definition::Guard;

use super::spec::{Graph, Piece, What, find, name_of};

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Good,
    Bad,
    Cancelled,
    Skipped,
}

impl End {
    fn is_failure(self) -> bool {
        matches!(self, End::Bad | End::Cancelled)
    }
}

/// How far something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its predecessors have not all been heard.
    Waits,
    /// It should have an attempt.
    Runs,
    /// Its next attempt comes at this second.
    Pauses(u64),
    /// It waits for a signal, or for this second.
    Sleeps(u64),
    /// Something inside it goes on.
    Open,
    Ended(End),
}

/// What is known of one task.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fact {
    fails: u32,
    until: u64,
    /// Since when it waits.
    since: Option<u64>,
    end: Option<End>,
    go: bool,
}

/// Facts, by path; what is inside a sub-run stands behind `>`.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    pub facts: BTreeMap<String, Fact>,
    /// Tasks whose living attempts were told to stop.
    pub stopping: BTreeSet<String>,
    /// Tasks that begin anew when their living attempts have stopped.
    pub resetting: BTreeSet<String>,
    /// Containers that close to begin anew.
    anew: BTreeSet<String>,
    /// When living attempts have begun.
    started: BTreeMap<String, u64>,
    /// Living attempts that have taken too long.
    late: BTreeSet<String>,
    /// Forks that were told to close: they fail when the last in them has stopped.
    closed: BTreeSet<String>,
    /// Runs that were told to end, by prefix.
    pub stopped: BTreeMap<String, End>,
    /// The living attempts.
    pub live: BTreeSet<String>,
    pub now: u64,
    /// How far everything was after the last input.
    pub last: States,
}

/// What is to be forgotten, and how things stood before.
struct Aim<'a> {
    before: Oracle,
    target: &'a dyn Fn(&str, &Piece) -> bool,
}

impl Aim<'_> {
    fn had_ended(&self, path: &str) -> bool {
        self.before.is_stopped(path) || matches!(self.before.last.get(path), Some(State::Ended(_)))
    }
}

/// Everything with a path, by path.
pub type States = BTreeMap<String, State>;

impl Oracle {
    /// How far everything is.
    pub fn states(&self, root: &Graph) -> States {
        let mut states = States::new();
        self.graph(root, "", &mut states);
        states
    }

    /// Whether something in the graph goes on, and whether something in it has failed.
    fn graph(&self, graph: &Graph, prefix: &str, states: &mut States) -> (bool, bool) {
        let (mut open, mut failed) = (false, false);
        for piece in &graph.nodes {
            let path = format!("{prefix}{}", piece.name);
            let state = self.piece(graph, piece, prefix, &path, states);
            states.insert(path, state);
            match state {
                State::Ended(end) => failed |= end.is_failure() && !piece.optional,
                State::Waits | State::Runs | State::Pauses(_) | State::Sleeps(_) | State::Open => open = true,
            }
        }
        (open, failed)
    }

    fn piece(&self, graph: &Graph, piece: &Piece, prefix: &str, path: &str, states: &mut States) -> State {
        if let Some(end) = self.facts.get(path).and_then(|fact| fact.end) {
            // What was cancelled inside has rows of its own.
            return State::Ended(end);
        }
        if self.stopping.contains(path) {
            // Whatever has become of its predecessors: it ends when its attempt is dead.
            return State::Runs;
        }
        let sources = piece.needs.iter().map(|(source, guard)| {
            let source = &graph.nodes[*source];
            let case = self.case(graph, source, prefix);
            (source, guard, case, states[&format!("{prefix}{}", source.name)])
        });
        let (mut missing, mut dead, mut taken, mut failed) = (false, false, false, false);
        for (source, guard, case, state) in sources {
            match state {
                State::Ended(end) => {
                    let takes = takes(guard, end, source.optional, case);
                    taken |= takes;
                    dead |= !takes;
                    failed |= end.is_failure() && !source.optional;
                }
                State::Waits | State::Runs | State::Pauses(_) | State::Sleeps(_) | State::Open => {
                    missing = true
                }
            }
        }
        let hurries = match piece.what {
            What::Join { permissive } => failed && !permissive,
            _ => piece.any && taken,
        };
        if missing && !hurries {
            return State::Waits;
        }
        let skips = if piece.any { dead && !taken } else { dead && !hurries };
        if skips { State::Ended(End::Skipped) } else { self.begun(piece, path, failed, states) }
    }

    /// Whether a switch takes the case `true`.
    fn case(&self, graph: &Graph, piece: &Piece, prefix: &str) -> bool {
        let What::Switch { on } = piece.what else { return false };
        let fact = self.facts.get(&format!("{prefix}{}", graph.nodes[on].name));
        fact.is_some_and(|fact| fact.end == Some(End::Good) && fact.go)
    }

    fn begun(&self, piece: &Piece, path: &str, failed: bool, states: &mut States) -> State {
        match &piece.what {
            What::Task { .. } => {
                let until = self.facts.get(path).map_or(0, |fact| fact.until);
                if until > self.now { State::Pauses(until) } else { State::Runs }
            }
            What::Wait { time, at_most } => {
                let since = self.facts.get(path).and_then(|fact| fact.since);
                let until = since.zip([*time, *at_most].into_iter().flatten().min());
                State::Sleeps(until.map_or(u64::MAX, |(since, limit)| since + limit))
            }
            What::Noop | What::Switch { .. } => State::Ended(End::Good),
            What::Join { .. } => State::Ended(if failed { End::Bad } else { End::Good }),
            What::Each { branches, body, .. } => {
                let (mut open, mut failed) = (false, false);
                for branch in 0..*branches {
                    let inner = self.graph(body, &format!("{path}[{branch}]/"), states);
                    open |= inner.0;
                    failed |= inner.1;
                }
                let failed = failed || self.closed.contains(path);
                settle(open, failed.then_some(End::Bad))
            }
            What::Loop { items, body, .. } => self.repeats(*items, body, path, states),
            What::Sub(graph) => {
                let prefix = format!("{path}>");
                let (open, failed) = self.graph(graph, &prefix, states);
                match self.stopped.get(&prefix) {
                    Some(&end) => settle(self.live.iter().any(|live| live.starts_with(&prefix)), Some(end)),
                    None => settle(open, failed.then_some(End::Bad)),
                }
            }
        }
    }

    fn repeats(&self, items: Option<u32>, body: &Graph, path: &str, states: &mut States) -> State {
        if items == Some(0) {
            return State::Ended(End::Good);
        }
        for iteration in 1.. {
            let prefix = format!("{path}#{iteration}/");
            let (open, failed) = self.graph(body, &prefix, states);
            let go =
                || self.facts.get(&format!("{prefix}{}", body.nodes[0].name)).is_some_and(|fact| fact.go);
            let goes_on = items.map_or_else(go, |items| iteration < items);
            if open || failed || !goes_on {
                return settle(open, failed.then_some(End::Bad));
            }
        }
        unreachable!("every loop ends")
    }

    /// An attempt has ended.
    pub fn report(&mut self, path: &str, attempts: u32, good: bool, go: bool) {
        self.live.remove(path);
        self.started.remove(path);
        let good = !self.late.remove(path) && good;
        let was_told_to_stop = self.stopping.remove(path);
        if self.resetting.remove(path) || self.is_stopped(path) {
            return;
        }
        let fact = self.facts.entry(path.to_owned()).or_default();
        if was_told_to_stop {
            fact.end = Some(End::Cancelled);
        } else if good {
            (fact.end, fact.go) = (Some(End::Good), go);
        } else {
            fact.fails += 1;
            if fact.fails >= attempts { fact.end = Some(End::Bad) } else { fact.until = self.now + 1 }
        }
    }

    pub fn is_stopped(&self, path: &str) -> bool {
        self.stopped.keys().any(|prefix| path.starts_with(prefix.as_str()))
    }

    /// Somebody cancels a task.
    pub fn cancel(&mut self, path: &str) {
        if self.live.contains(path) {
            self.stopping.insert(path.to_owned());
        } else {
            self.facts.entry(path.to_owned()).or_default().end = Some(End::Cancelled);
        }
    }

    /// A branch of this fork has failed: what had not ended before is cancelled.
    pub fn close(&mut self, fork: &str, before: &States) {
        if !self.closed.insert(fork.to_owned()) {
            return;
        }
        // The attempts of a sub-run stop, too, but nobody waits for them: the next one is another run.
        let inside = format!("{fork}[");
        for (path, state) in before.range(inside.clone()..).take_while(|(path, _)| path.starts_with(&inside))
        {
            let ended = matches!(state, State::Ended(_));
            if !ended && self.facts.get(path).is_none_or(|fact| fact.end.is_none()) {
                self.cancel(path);
            }
        }
    }

    /// In a branch of a fork that fails fast something was decided beside a task that had failed before the fork was
    /// begun again: then a join may fail, and closes the fork. Whatever is `open` there is cancelled, but for what was
    /// decided before the join's turn came; `turns` are those whose turn it is now.
    pub fn join_closes(
        &mut self,
        root: &Graph,
        branch: &str,
        mut open: Vec<bool>,
        mut turns: VecDeque<usize>,
    ) {
        let Some(fork) = branch.rsplit_once('[').map(|(fork, _)| fork.to_owned()) else { return };
        let body = find(root, name_of(&fork)).and_then(Piece::body).expect("it is a branch of the fork");
        let states = self.states(root);
        let path = |at: usize| format!("{branch}/{}", body.nodes[at].name);
        while let Some(at) = turns.pop_front() {
            let State::Ended(end) = states[&path(at)] else { continue };
            if !open[at] || !is_decided(body, at, &open, |at| states[&path(at)]) {
                continue;
            }
            open[at] = false;
            if end == End::Bad {
                let mut before = self.last.clone();
                let state = |open: bool| if open { State::Waits } else { State::Ended(End::Good) };
                before.extend((0..body.nodes.len()).map(|at| (path(at), state(open[at]))));
                return self.close(&fork, &before);
            }
            turns.extend(successors(body, at));
        }
    }

    /// Everything living is dead; who was told to stop has stopped. Says who has ended or failed by that.
    pub fn crash(&mut self, attempts: impl Fn(&str) -> u32) -> BTreeSet<String> {
        self.live.clear();
        self.started.clear();
        self.resetting.clear();
        let mut over = std::mem::take(&mut self.stopping);
        for path in over.iter().filter(|path| !self.is_stopped(path)).cloned().collect::<Vec<_>>() {
            self.late.remove(&path);
            self.facts.entry(path).or_default().end = Some(End::Cancelled);
        }
        for path in std::mem::take(&mut self.late) {
            self.report(&path, attempts(&path), false, false);
            over.insert(path);
        }
        over
    }

    /// Notes what has begun: attempts, and waits.
    pub fn note_begun(&mut self, root: &Graph, paused: bool, runs: &BTreeSet<&str>) {
        let Oracle { live, started, resetting, anew, .. } = self;
        let inside = |path: &str, container: &str| {
            path.strip_prefix(container).is_some_and(|rest| rest.starts_with(['[', '#']))
        };
        anew.retain(|container| resetting.iter().any(|path| inside(path, container)));
        started.retain(|path, _| live.contains(path));
        for path in live.iter() {
            started.entry(path.clone()).or_insert(self.now);
        }
        for (path, state) in self.states(root) {
            // Sub-runs that are there go on while the run itself is paused.
            let run = path.rsplit_once('>').map(|(run, _)| &path[..=run.len()]);
            let goes_on = !paused || run.is_some_and(|run| runs.contains(run));
            let held = !goes_on || self.is_stopped(&path);
            let closes = || self.anew.iter().any(|container| inside(&path, container));
            if matches!(state, State::Sleeps(_)) && !held && !closes() {
                let now = self.now;
                self.facts.entry(path).or_default().since.get_or_insert(now);
            }
        }
    }

    /// A second has passed. Says which waits are over, since when, and whether that is a success.
    pub fn tick(&mut self, root: &Graph) -> Vec<(u64, String, bool)> {
        self.now += 1;
        let limit_of = |path: &str| match find(root, name_of(path)).map(|piece| &piece.what) {
            Some(What::Task { limit, .. }) => *limit,
            _ => None,
        };
        for (path, started) in &self.started {
            let told = self.stopping.contains(path) || self.resetting.contains(path) || self.is_stopped(path);
            if !told && limit_of(path).is_some_and(|limit| started + limit <= self.now) {
                self.late.insert(path.clone());
            }
        }
        let states = self.states(root).into_iter();
        let sleeping = states.filter(|(path, _)| self.waits(path) && !self.is_stopped(path));
        let over = sleeping.filter_map(|(path, state)| match state {
            State::Sleeps(until) if until <= self.now => Some((until, path)),
            _ => None,
        });
        let in_time = |path: &str| match find(root, name_of(path)).map(|piece| &piece.what) {
            Some(What::Wait { time: Some(time), at_most }) => at_most.is_none_or(|at_most| *time <= at_most),
            _ => false,
        };
        over.map(|(until, path)| (until, path.clone(), in_time(&path))).collect()
    }

    /// A wait is over.
    pub fn signal(&mut self, path: &str, good: bool) {
        let end = if good { End::Good } else { End::Bad };
        self.facts.entry(path.to_owned()).or_default().end = Some(end);
    }

    pub fn is_someone_late(&self) -> bool {
        !self.late.is_empty()
    }

    /// Whether a wait has begun.
    pub fn waits(&self, path: &str) -> bool {
        self.facts.get(path).is_some_and(|fact| fact.since.is_some() && fact.end.is_none())
    }

    /// Forgets the targets (by path; that of a run that was told to end is its prefix) and everything that depends on
    /// them.
    pub fn clear(&mut self, root: &Graph, target: &dyn Fn(&str, &Piece) -> bool) {
        let before = self.clone();
        self.clear_graph(root, "", &Aim { before, target });
    }

    /// Says whether there were any targets.
    fn clear_graph(&mut self, graph: &Graph, prefix: &str, aim: &Aim<'_>) -> bool {
        let mut reset = vec![false; graph.nodes.len()];
        let mut touched = false;
        for (at, piece) in graph.nodes.iter().enumerate() {
            let path = format!("{prefix}{}", piece.name);
            let depends = piece.needs.iter().any(|(source, _)| reset[*source]);
            if depends || (aim.target)(&path, piece) {
                self.forget(&path);
                reset[at] = true;
            } else if self.clear_inside(piece, &path, aim) {
                touched = true;
                // What goes on inside something that has not ended has led to nothing outside.
                reset[at] = aim.had_ended(&path);
            }
        }
        touched || reset.contains(&true)
    }

    fn clear_inside(&mut self, piece: &Piece, path: &str, aim: &Aim<'_>) -> bool {
        let touched = match &piece.what {
            What::Task { .. } | What::Wait { .. } | What::Noop | What::Switch { .. } | What::Join { .. } => {
                false
            }
            What::Each { branches, body, .. } => {
                let branches = (0..*branches).map(|branch| format!("{path}[{branch}]/"));
                branches.fold(false, |touched, prefix| self.clear_graph(body, &prefix, aim) | touched)
            }
            What::Loop { body, keep, .. } => self.clear_loop(body, keep.unwrap_or(100), path, aim),
            What::Sub(graph) => {
                let prefix = format!("{path}>");
                let resumed = (aim.target)(&prefix, piece) && self.stopped.remove(&prefix).is_some();
                self.clear_graph(graph, &prefix, aim) | resumed
            }
        };
        if touched {
            self.closed.remove(path);
        }
        touched
    }

    fn clear_loop(&mut self, body: &Graph, keep: u32, path: &str, aim: &Aim<'_>) -> bool {
        let begun =
            |iteration: &u32| self.last.contains_key(&format!("{path}#{iteration}/{}", body.nodes[0].name));
        let newest = (1..=100).take_while(begun).count() as u32;
        // What is no longer kept cannot be done again.
        for iteration in newest.saturating_sub(keep) + 1..=newest {
            if self.clear_graph(body, &format!("{path}#{iteration}/"), aim) {
                for later in iteration + 1..=newest {
                    self.forget_below(&format!("{path}#{later}/"));
                }
                return true;
            }
        }
        false
    }

    fn forget(&mut self, path: &str) {
        let inside = |live: &String| live.strip_prefix(path).is_some_and(|rest| rest.starts_with(['[', '#']));
        let dying =
            self.live.iter().filter(|live| inside(live) || (*live == path && !self.stopping.contains(path)));
        let dying: Vec<String> = dying.cloned().collect();
        if dying.iter().any(inside) {
            self.anew.insert(path.to_owned());
        }
        self.late.retain(|late| !dying.contains(late));
        self.resetting.extend(dying);
        // Nobody waits for the attempts of a sub-run either: the next one is another run.
        let below =
            |path: &str, known: &str| known.strip_prefix(path).is_some_and(|rest| rest.starts_with('>'));
        self.stopping.retain(|stopping| !inside(stopping) && !below(path, stopping));
        self.late.retain(|late| !below(path, late));
        self.started.retain(|started, _| !below(path, started));
        self.facts.remove(path);
        self.closed.remove(path);
        for inside in ["[", "#", ">"] {
            self.forget_below(&format!("{path}{inside}"));
        }
    }

    fn forget_below(&mut self, prefix: &str) {
        self.facts.retain(|path, _| !path.starts_with(prefix));
        self.closed.retain(|path| !path.starts_with(prefix));
        self.stopped.retain(|path, _| !path.starts_with(prefix));
    }
}

/// Whether a task's turn has come, where some tasks of its graph are open yet.
fn is_decided(graph: &Graph, at: usize, open: &[bool], state: impl Fn(usize) -> State) -> bool {
    let needs = &graph.nodes[at].needs;
    let heard = |source: usize| !open[source];
    let failed = |source: usize| {
        matches!(state(source), State::Ended(end) if end.is_failure()) && !graph.nodes[source].optional
    };
    let hurries = match graph.nodes[at].what {
        What::Join { permissive } => {
            !permissive && needs.iter().any(|&(source, _)| heard(source) && failed(source))
        }
        _ => graph.nodes[at].any && needs.iter().any(|&(source, _)| heard(source)),
    };
    hurries || needs.iter().all(|&(source, _)| heard(source))
}

/// The tasks that need a task.
pub fn successors(graph: &Graph, at: usize) -> impl Iterator<Item = usize> + '_ {
    let needs = move |piece: &Piece| piece.needs.iter().any(|&(source, _)| source == at);
    graph.nodes.iter().zip(0..).filter(move |(piece, _)| needs(piece)).map(|(_, at)| at)
}

fn settle(open: bool, bad: Option<End>) -> State {
    if open { State::Open } else { State::Ended(bad.unwrap_or(End::Good)) }
}

fn takes(guard: &Guard, end: End, optional: bool, case: bool) -> bool {
    let passes = end == End::Good || (end.is_failure() && optional);
    match guard {
        Guard::Success => passes,
        Guard::Failure => end.is_failure(),
        Guard::Any => true,
        Guard::Continue => passes || end == End::Skipped,
        Guard::Case(_) => end == End::Good && case,
        Guard::DefaultCase => end == End::Good && !case,
    }
}
