//! A run in memory: its scopes, its task instances, and the counts that follow from their records.
//!
//! [`Run::apply`] is the one way in which a task's state changes, for steps and for recovery alike; it keeps every
//! derived count. What a record does not say is not kept.

mod scope;
mod served_view;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use partitur_model::definition::{Guard, Trigger};
use partitur_model::record::{
    RunRecord, RunState, ScopeRef, TaskError, TaskOutcome, TaskRecord, TaskState, UndoState, Usage,
};
use partitur_model::{FencingToken, Payload, RunId, TaskSeq, Timestamp};

use crate::cx::{Agenda, Cx, Todo};
use crate::program::{Action, Body, BodyIx, Program, ProgramNode};
use crate::rollback::Undoing;
use crate::service::Services;
use crate::timers::{Timer, Timers};

pub(crate) use scope::ScopeState;
pub(crate) use view::{View, outcome_name};

/// The branch or iteration at the root of a run.
pub(crate) const ROOT: u32 = 0;

/// A task instance: a node in one branch or iteration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub scope: u32,
    pub node: u32,
}

/// What is known of a task instance.
#[derive(Debug, Default)]
pub(crate) struct Instance {
    /// Edges that have neither been taken nor died.
    pub missing: u32,
    /// An edge has died.
    pub dead: bool,
    /// An edge has been taken.
    pub taken: bool,
    /// A predecessor has failed (for joins that do not wait).
    pub failed_early: bool,
    /// Not among the targets of the run or what they need.
    pub excluded: bool,
    /// When the last edge was decided, or the first one taken if that is enough.
    pub since: Timestamp,
    /// Its record, once it has done anything.
    pub task: Option<Box<TaskRecord>>,
    /// When a living attempt at undoing it must have ended. Such an attempt does not outlive this process.
    pub undo_deadline: Timestamp,
}

/// A run in memory.
#[derive(Debug)]
pub(crate) struct Run {
    pub rec: RunRecord,
    pub program: Arc<Program>,
    pub scopes: Vec<Option<Box<ScopeState>>>,
    /// Where the task with a number is; numbers start at 1.
    by_seq: Vec<Option<Key>>,
    /// The branches or iterations of each container.
    pub children: BTreeMap<Key, Branches>,
    /// The newest scope of each body: what a name means outside of it.
    latest: BTreeMap<BodyIx, u32>,
    /// Tasks that keep the run from ending: attempts and sub-runs that live.
    pub live: u32,
    /// Iterations that are over, of loops that wait for their turn to go on.
    pub turns: BTreeSet<u32>,
    /// Graphs that were made when a task began; their numbers follow those of the program's.
    pub grown: Vec<Option<Arc<Body>>>,
    /// In which of these graphs a name stands.
    pub grown_names: BTreeMap<Box<str>, BodyIx>,
    /// What is to follow the run, which has not succeeded, is being looked up.
    pub awaits_failure_run: bool,
    /// Others have to end before its first task begins.
    pub waits_for_room: bool,
    /// Whether the run's output was compared with its schema.
    pub output_check: OutputCheck,
    /// What a task is given that begins anew, instead of what its definition says.
    pub given_instead: Option<(Key, Payload)>,
    /// The rollback in progress.
    pub undoing: Option<Undoing>,
    /// Bottom levels of the root's tasks from history, instead of the program's.
    pub levels: Option<Vec<f32>>,
    /// How far clients have counted its tasks.
    pub counted: u32,
    /// Rows of the past, to which later attempts have further ones.
    pub past: BTreeMap<TaskSeq, PastRow>,
}

/// What is still known of a row of the past.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PastRow {
    /// The row before it.
    pub retry_of: Option<TaskSeq>,
    /// Its number in sight of clients.
    pub counted: u32,
}

/// How far the comparison of a run's output with its schema is. Nothing of it is kept: after a crash it is made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputCheck {
    /// Not begun.
    Open,
    /// Somebody has been asked.
    Asked,
    /// It is as it must be, or the run has failed for it.
    Done,
}

/// The branches or iterations of a container.
#[derive(Debug, Default)]
pub(crate) struct Branches {
    /// Their scopes, by branch or iteration.
    pub scopes: BTreeMap<u32, u32>,
    /// How many have tasks that have not ended.
    pub open: u32,
    /// How many have ended with a failure.
    pub failed: u32,
}

impl Run {
    /// A run whose tasks have done nothing yet; [`Run::open_scope`] of the root is up to the caller.
    pub(crate) fn new(rec: RunRecord, program: Arc<Program>) -> Run {
        Run {
            rec,
            program,
            scopes: Vec::new(),
            by_seq: Vec::new(),
            children: BTreeMap::new(),
            latest: BTreeMap::new(),
            live: 0,
            turns: BTreeSet::new(),
            grown: Vec::new(),
            grown_names: BTreeMap::new(),
            awaits_failure_run: false,
            waits_for_room: false,
            output_check: OutputCheck::Open,
            given_instead: None,
            undoing: None,
            levels: None,
            counted: 0,
            past: BTreeMap::new(),
        }
    }

    pub(crate) fn id(&self) -> RunId {
        self.rec.id
    }

    pub(crate) fn scope(&self, scope: u32) -> &ScopeState {
        self.scopes[scope as usize].as_deref().expect("keys are only made for scopes that are there")
    }

    pub(crate) fn scope_mut(&mut self, scope: u32) -> &mut ScopeState {
        self.scopes[scope as usize].as_deref_mut().expect("keys are only made for scopes that are there")
    }

    pub(crate) fn instance(&self, key: Key) -> &Instance {
        &self.scope(key.scope).instances[key.node as usize]
    }

    pub(crate) fn instance_mut(&mut self, key: Key) -> &mut Instance {
        &mut self.scope_mut(key.scope).instances[key.node as usize]
    }

    pub(crate) fn node(&self, key: Key) -> &ProgramNode {
        &self.scope(key.scope).graph.nodes[key.node as usize]
    }

    /// A graph of the program, or one that was made when a task began.
    pub(crate) fn body(&self, body: BodyIx) -> &Arc<Body> {
        match (body.0 as usize).checked_sub(self.program.bodies.len()) {
            None => self.program.body(body),
            Some(grown) => self.grown[grown].as_ref().expect("a graph is there as long as its scopes"),
        }
    }

    /// In which graph that was made when a task began a name stands.
    pub(crate) fn grown_name(&self, name: &str) -> Option<BodyIx> {
        self.grown_names.get(name).copied()
    }

    /// What the name means in the newest branch or iteration of each graph that has it.
    pub(crate) fn newest_of(&self, name: &str) -> impl Iterator<Item = Key> {
        let bodies = (0..self.program.bodies.len() as u32).map(BodyIx).chain(self.grown_name(name));
        let here = bodies.filter_map(|body| {
            let scope = self.latest_scope(body).filter(|&scope| self.scopes[scope as usize].is_some())?;
            Some(Key { scope, node: *self.scope(scope).graph.names.get(name)? })
        });
        here.collect::<Vec<Key>>().into_iter()
    }

    /// The graph in which a task stands, and itself in it, for who changes the run while looking at them.
    pub(crate) fn graph_of(&self, key: Key) -> Arc<Body> {
        self.scope(key.scope).graph.clone()
    }

    /// The record of a task that has done something.
    pub(crate) fn task(&self, key: Key) -> Option<&TaskRecord> {
        self.instance(key).task.as_deref()
    }

    pub(crate) fn state(&self, key: Key) -> Option<TaskState> {
        self.task(key).map(|task| task.state)
    }

    /// Where the task with this number is.
    pub(crate) fn key_of(&self, seq: TaskSeq) -> Option<Key> {
        *self.by_seq.get((seq.0 as usize).checked_sub(1)?)?
    }

    /// All instances of all scopes, in order of creation.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.scopes.iter().zip(0..).flat_map(|(scope, index)| {
            let count = scope.as_ref().map_or(0, |scope| scope.instances.len() as u32);
            (0..count).map(move |node| Key { scope: index, node })
        })
    }

    /// All records, by number.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = &TaskRecord> + '_ {
        self.by_seq.iter().flatten().filter_map(|&key| self.task(key))
    }

    /// So many numbers have been given to tasks.
    pub(crate) fn numbers(&self) -> usize {
        self.by_seq.len()
    }

    /// A further number for the task.
    pub(crate) fn new_number(&mut self, key: Key) -> TaskSeq {
        self.by_seq.push(Some(key));
        TaskSeq(self.by_seq.len() as u32)
    }

    /// The tasks that have a number, by it.
    pub(crate) fn numbered(&self) -> impl DoubleEndedIterator<Item = Key> + '_ {
        self.by_seq.iter().flatten().copied().filter(|&key| self.task(key).is_some())
    }

    /// The task with this path, if it has begun.
    pub(crate) fn find(&self, path: &str) -> Option<Key> {
        self.by_seq
            .iter()
            .flatten()
            .copied()
            .find(|&key| self.task(key).is_some_and(|task| &*task.path == path))
    }

    /// The task's record, or a new one with the next number.
    pub(crate) fn record(&mut self, key: Key) -> TaskRecord {
        if let Some(task) = self.task(key) {
            return task.clone();
        }
        let seq = self.new_number(key);
        self.first_record(key, seq)
    }

    /// The record of a task that has done nothing yet.
    pub(crate) fn first_record(&self, key: Key, seq: TaskSeq) -> TaskRecord {
        let scope = self.scope(key.scope).container.map(|(container, index)| ScopeRef {
            container: self.task(container).expect("a container has begun before its body").seq,
            index,
        });
        TaskRecord {
            run: self.id(),
            seq,
            node: self.node(key).name.clone(),
            scope,
            path: self.path_of(key),
            state: TaskState::Blocked,
            // After a restart of the run and one of the node numbers of tasks are used again: generations are not.
            generation: self.rec.generation << 16,
            attempt: 0,
            losses: 0,
            ready: self.instance(key).since,
            started: None,
            ended: None,
            output: None,
            error: None,
            items: None,
            iteration: 0,
            child: None,
            undo: UndoState::None,
            cached: false,
            log: None,
            usage: Usage::default(),
            served: None,
        }
    }

    /// Writes the run's own row.
    pub(crate) fn write(&self, cx: &mut Cx<'_>) {
        cx.batch.run(&self.rec);
    }

    /// A transition: the record goes into the batch and into memory.
    pub(crate) fn put(&mut self, cx: &mut Cx<'_>, key: Key, record: TaskRecord) {
        cx.batch.task(&record);
        self.apply(key, record, cx.timers, cx.agenda);
    }

    /// A transition that follows from the rows of others and needs none of its own: a task becomes ready.
    pub(crate) fn put_derived(&mut self, cx: &mut Cx<'_>, key: Key, record: TaskRecord) {
        self.apply(key, record, cx.timers, cx.agenda);
    }

    /// The task's record is now this one: every count that follows from it is brought up to date, and what may follow
    /// goes onto the agenda.
    pub(crate) fn apply(&mut self, key: Key, record: TaskRecord, timers: &mut Timers, agenda: &mut Agenda) {
        self.index(record.seq, key);
        let node = self.node(key);
        let optional = node.spec.optional;
        let undo_deadline = self.instance(key).undo_deadline;
        let run = self.id();
        let timer = |task: &TaskRecord| {
            let at = due(task, node, undo_deadline);
            Timer { at, run, task: Some(task.seq), generation: task.generation }
        };
        if let Some(before) = self.task(key) {
            timers.clear(&timer(before));
        }
        timers.set(timer(&record));

        let before = self.instance_mut(key).task.replace(Box::new(record));
        let before = before.as_deref();
        // A record that counts as failed or live twice would leak a slot or hang its scope: the counts below move only
        // by the difference between the two.
        let (was_ended, was_failed, was_live) =
            before.map_or((false, false, false), |task| facts(task, optional));
        let (is_ended, is_failed, is_live) = facts(self.task(key).expect("it was just put there"), optional);

        self.live = self.live + u32::from(is_live) - u32::from(was_live);
        if was_live && !is_live {
            agenda.push_back(Todo::MayEnd(run));
        }
        let scope = self.scope_mut(key.scope);
        let scope_was = (scope.open == 0, scope.open == 0 && scope.failed > 0);
        scope.failed = scope.failed + u32::from(is_failed) - u32::from(was_failed);
        scope.open = scope.open + u32::from(was_ended) - u32::from(is_ended);
        let scope_is = (scope.open == 0, scope.open == 0 && scope.failed > 0);
        let open = scope.open;
        if let Some((container, _)) = scope.container
            && let Some(branches) = self.children.get_mut(&container)
        {
            branches.open = branches.open + u32::from(scope_was.0) - u32::from(scope_is.0);
            branches.failed = branches.failed + u32::from(scope_is.1) - u32::from(scope_was.1);
        }
        if is_ended && !was_ended {
            if open == 0 {
                agenda.push_back(scope_done(run, key.scope));
            }
            self.arrive(key, agenda);
        }
    }

    /// The task has ended: each of its edges is taken or dies.
    fn arrive(&mut self, key: Key, agenda: &mut Agenda) {
        let body = self.graph_of(key);
        let node = &body.nodes[key.node as usize];
        let task = self.task(key).expect("a task that ends has a record").clone();
        if node.service().is_some() {
            // Its edges are never counted: what they mean follows from its record.
            let all = body.successors.successors(key.node).iter();
            agenda.extend(all.map(|&node| Todo::Consider(self.id(), Key { scope: key.scope, node })));
            return;
        }
        for (edge, target) in body.successors.out_edges(key.node) {
            let arrival = Arrival::of(&body.guards[edge as usize], &task, node, self.serves());
            let trigger = body.nodes[target as usize].spec.trigger;
            let target = Key { scope: key.scope, node: target };
            let waits = self.instance_mut(target).arrive(trigger, arrival);
            if !waits || self.hurries(target) || self.may_open_join(target) {
                let consider = Todo::Consider(self.id(), target);
                if self.follows_at_once(key, target) {
                    agenda.push_front(consider);
                } else {
                    agenda.push_back(consider);
                }
            }
        }
    }

    /// By Conductor's rules the first task of the case that a switch has chosen comes next to the switch: before other
    /// branches, and before the join of a fork around it. Where cases meet again, nothing hurries.
    fn follows_at_once(&self, key: Key, target: Key) -> bool {
        let is_switch = matches!(self.node(key).action, Action::Switch { .. });
        let target = self.node(target);
        let is_first = target.spec.trigger == Trigger::All && !matches!(target.action, Action::Join(_));
        self.serves() && is_switch && is_first
    }

    /// Whether the task may be ready although edges are missing.
    fn hurries(&self, key: Key) -> bool {
        let instance = self.instance(key);
        let node = self.node(key);
        match &node.action {
            Action::Join(join) if join.exclusive => instance.taken,
            Action::Join(join) => instance.failed_early && !join.permissive && !self.serves(),
            Action::Attempt(_)
            | Action::Wait(_)
            | Action::Evaluate(_)
            | Action::SubRun { .. }
            | Action::Start(_)
            | Action::Expand(_)
            | Action::Each(_)
            | Action::Loop(_)
            | Action::Switch { .. }
            | Action::Terminate { .. }
            | Action::SetVariables(_)
            | Action::Noop => node.spec.trigger == Trigger::Any && instance.taken,
        }
    }

    /// Whether the task has begun; a join that waits in sight has not.
    pub(crate) fn has_begun(&self, key: Key) -> bool {
        match self.state(key) {
            None | Some(TaskState::Blocked) => false,
            Some(TaskState::Waiting { .. }) => !matches!(self.node(key).action, Action::Join(_)),
            Some(
                TaskState::Ready
                | TaskState::Running { .. }
                | TaskState::Stopping { .. }
                | TaskState::Backoff { .. }
                | TaskState::Open
                | TaskState::Ended(_),
            ) => true,
        }
    }

    /// What the arrivals so far mean for a task that has not begun.
    pub(crate) fn verdict(&self, key: Key) -> Verdict {
        let instance = self.instance(key);
        let joins = matches!(self.node(key).action, Action::Join(_));
        if self.has_begun(key) || instance.excluded {
            return Verdict::Wait;
        }
        if joins && self.is_without_fork(key) {
            return Verdict::Skip;
        }
        let services = self.services(key);
        if self.hurries(key) {
            return if services == Services::Missing { Verdict::Wait } else { Verdict::Begin };
        }
        if instance.missing > 0 {
            return if self.may_open_join(key) { Verdict::Open } else { Verdict::Wait };
        }
        let dies = match self.node(key).spec.trigger {
            Trigger::All => instance.dead && !joins,
            Trigger::Any => !instance.taken && instance.dead,
        };
        match services {
            _ if dies => Verdict::Skip,
            Services::Lost => Verdict::Skip,
            Services::Missing => Verdict::Wait,
            Services::Up => Verdict::Begin,
        }
    }

    /// Whether nothing but services keeps the task from beginning.
    pub(crate) fn awaits_services(&self, key: Key) -> bool {
        let instance = self.instance(key);
        !self.has_begun(key)
            && !instance.excluded
            && instance.missing == 0
            && self.services(key) == Services::Missing
    }

    /// Counts the edges of a task afresh, after it or its predecessors were reset.
    pub(crate) fn recount(&mut self, key: Key) {
        let (body, serves) = (self.graph_of(key), self.serves());
        let mut fresh = Instance { missing: 0, ..Instance::default() };
        for (edge, source) in body.predecessors.out_edges(key.node) {
            let source_key = Key { scope: key.scope, node: source };
            if self.is_service(source_key) {
                continue;
            }
            fresh.missing += 1;
            if let Some(task) = self.task(source_key).filter(|task| task.state.is_ended()) {
                let arrival =
                    Arrival::of(&body.guards[edge as usize], task, &body.nodes[source as usize], serves);
                fresh.arrive(body.nodes[key.node as usize].spec.trigger, arrival);
            }
        }
        let created = self.rec.created;
        let instance = self.instance_mut(key);
        instance.missing = fresh.missing;
        instance.dead = fresh.dead;
        instance.taken = fresh.taken;
        instance.failed_early = fresh.failed_early;
        instance.since = fresh.since.max(created);
    }

    /// What is due for the task is not any more.
    pub(crate) fn clear_timer(&self, cx: &mut Cx<'_>, key: Key) {
        let Some(task) = self.task(key) else { return };
        let at = due(task, self.node(key), self.instance(key).undo_deadline);
        let timer = Timer { at, run: self.id(), task: Some(task.seq), generation: task.generation };
        cx.timers.clear(&timer);
    }

    fn index(&mut self, seq: TaskSeq, key: Key) {
        // What has no row has no number.
        let Some(place) = (seq.0 as usize).checked_sub(1) else { return };
        if self.by_seq.len() <= place {
            self.by_seq.resize(place + 1, None);
        }
        self.by_seq[place] = Some(key);
    }

    /// A number has been used by a row that is of the past.
    pub(crate) fn note_number(&mut self, seq: TaskSeq) {
        let used = seq.0 as usize;
        if self.by_seq.len() < used {
            self.by_seq.resize(used, None);
        }
    }

    /// Forgets a task whose row was removed.
    pub(crate) fn forget(&mut self, seq: TaskSeq) {
        let place = (seq.0 as usize).checked_sub(1);
        if let Some(place) = place.and_then(|place| self.by_seq.get_mut(place)) {
            *place = None;
        }
    }

    /// The attempts that live, of those handed out up to this token. Looks at nothing but records: the run may be half
    /// changed.
    pub(crate) fn living_attempts(&self, until: FencingToken) -> BTreeMap<TaskSeq, FencingToken> {
        let records = self.scopes.iter().flatten().flat_map(|scope| &scope.instances);
        records
            .filter_map(|instance| {
                let task = instance.task.as_deref()?;
                let token = task.state.token().or(task.undo.token())?;
                (token <= until).then_some((task.seq, token))
            })
            .collect()
    }

    /// Numbers of tasks begin after those that were used before the run was started afresh: what speaks of one of them
    /// must not find another.
    pub(crate) fn number_after(&mut self, other: &Run) {
        self.by_seq = vec![None; other.by_seq.len()];
    }

    /// Whether the run goes on once nobody holds it: it runs, or it is paused.
    pub(crate) fn is_under_way(&self) -> bool {
        matches!(self.rec.state, RunState::Running | RunState::Paused)
    }

    /// Whether new attempts may start.
    pub(crate) fn is_running(&self) -> bool {
        self.rec.state == RunState::Running
    }

    /// Why the containers around a scope are closing, if they are.
    pub(crate) fn closing(&self, mut scope: u32) -> Option<TaskError> {
        while let Some((container, _)) = self.scope(scope).container {
            let task = self.task(container)?;
            if let Some(error) = &task.error {
                return Some(error.clone());
            }
            scope = container.scope;
        }
        None
    }
}

/// What arrivals mean for a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Wait,
    /// It is a join that begins to wait in sight of everybody.
    Open,
    Begin,
    Skip,
}

/// The end of a predecessor, as seen along an edge.
struct Arrival {
    taken: bool,
    failed: bool,
    at: Timestamp,
}

impl Arrival {
    fn of(guard: &Guard, source: &TaskRecord, node: &ProgramNode, serves: bool) -> Arrival {
        Arrival {
            taken: is_taken(guard, source, node, serves),
            failed: task_failed(source) && !node.spec.optional && !node.spec.permissive,
            at: source.ended.unwrap_or_default(),
        }
    }
}

impl Instance {
    /// An edge is decided. Says whether edges are still missing.
    fn arrive(&mut self, trigger: Trigger, Arrival { taken, failed, at }: Arrival) -> bool {
        #[cfg(feature = "planted-faults")]
        if partitur_model::planted::Planted::ArrivalForgotten.is_here() && self.missing == 2 {
            return true;
        }
        self.missing = self.missing.saturating_sub(1);
        // For the first arrival to be enough, it is enough in whatever order the rows of the others are read.
        self.since = match trigger {
            Trigger::Any if self.taken => self.since.min(if taken { at } else { self.since }),
            Trigger::Any if taken => at,
            Trigger::Any | Trigger::All => self.since.max(at),
        };
        self.dead |= !taken;
        self.taken |= taken;
        self.failed_early |= failed;
        self.missing > 0
    }
}

/// Whether the task has ended, has failed its scope, and keeps its run from ending.
fn facts(task: &TaskRecord, optional: bool) -> (bool, bool, bool) {
    let waits_for_child = matches!(task.state, TaskState::Waiting { .. }) && task.child.is_some();
    let undoes = matches!(task.undo, UndoState::Running { .. });
    let live = task.state.token().is_some() || waits_for_child || undoes;
    (task.state.is_ended(), task_failed(task) && !optional, live)
}

fn task_failed(task: &TaskRecord) -> bool {
    match task.state {
        TaskState::Ended(outcome) => outcome.is_failure(),
        TaskState::Blocked
        | TaskState::Ready
        | TaskState::Running { .. }
        | TaskState::Stopping { .. }
        | TaskState::Backoff { .. }
        | TaskState::Waiting { .. }
        | TaskState::Open => false,
    }
}

/// Whether an edge with this guard is taken at the end of `task`.
pub(crate) fn is_taken(guard: &Guard, task: &TaskRecord, node: &ProgramNode, serves: bool) -> bool {
    let TaskState::Ended(outcome) = task.state else { return false };
    let goes_on = node.spec.optional || node.spec.permissive;
    let passes = outcome == TaskOutcome::Succeeded || (outcome.is_failure() && goes_on);
    let by_hand = task.served.as_ref().is_some_and(|served| served.skipped_by_hand);
    match guard {
        Guard::Success => passes,
        Guard::Failure => outcome.is_failure(),
        Guard::Any => true,
        // A switch leads on through its cases, unless it was left out by hand.
        Guard::Continue if serves && matches!(node.action, Action::Switch { .. }) => by_hand,
        // A step that was not reached leads nowhere; one that was left out by hand leads on.
        Guard::Continue if serves => passes || by_hand,
        Guard::Continue => passes || outcome == TaskOutcome::Skipped,
        Guard::Case(case) => chosen_case(task).as_deref() == Some(case),
        Guard::DefaultCase => chosen_case(task).is_some_and(|case| !knows_case(node, &case)),
    }
}

fn chosen_case(task: &TaskRecord) -> Option<String> {
    let key = if task.served.is_some() { "selectedCase" } else { "case" };
    let case = task.output.as_ref()?.member(key)?;
    case.to_value().as_str().map(str::to_owned)
}

fn knows_case(node: &ProgramNode, case: &str) -> bool {
    match &node.action {
        Action::Switch { cases, .. } => cases.iter().any(|known| known == case),
        Action::Attempt(_)
        | Action::Wait(_)
        | Action::Evaluate(_)
        | Action::SubRun { .. }
        | Action::Start(_)
        | Action::Expand(_)
        | Action::Each(_)
        | Action::Loop(_)
        | Action::Join(_)
        | Action::Terminate { .. }
        | Action::SetVariables(_)
        | Action::Noop => false,
    }
}

/// When a record needs looking at without anything having happened.
pub(crate) fn due(task: &TaskRecord, node: &ProgramNode, undo_deadline: Timestamp) -> Timestamp {
    let undo = match task.undo {
        UndoState::Backoff { until, .. } => until,
        UndoState::Running { .. } => undo_deadline,
        UndoState::None | UndoState::Done | UndoState::Failed => Timestamp::MAX,
    };
    let state = match task.state {
        TaskState::Running { deadline, lease, .. } => deadline.min(lease),
        TaskState::Backoff { until } | TaskState::Waiting { until } => until,
        TaskState::Ready => {
            let limit = node.spec.timeouts.queue;
            limit.map_or(Timestamp::MAX, |queue| crate::attempt::available(task) + queue)
        }
        TaskState::Blocked | TaskState::Stopping { .. } | TaskState::Open | TaskState::Ended(_) => {
            Timestamp::MAX
        }
    };
    state.min(undo)
}

fn scope_done(run: RunId, scope: u32) -> Todo {
    if scope == ROOT { Todo::MayEnd(run) } else { Todo::ScopeDone(run, scope) }
}
