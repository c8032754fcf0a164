//! What a transition may touch beside its own run, and what it leaves for afterwards.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use partitur_model::event::{Event, EventKind};
use partitur_model::record::{DefinitionRecord, NodeRecord, Parent, RunOutcome, RunRecord, TaskError};
use partitur_model::{DefinitionId, FencingToken, Payload, RunId, Timestamp};

use crate::admission::{Admission, TaskKey};
use crate::batch::Batch;
use crate::callback::Callbacks;
use crate::effect::Effect;
use crate::input::Update;
use crate::load::Governors;
use crate::polls::Polls;
use crate::program::Program;
use crate::results::Results;
use crate::run::Key;
use crate::timers::Timers;
use crate::turns::Turns;

/// The surroundings of a transition.
pub(crate) struct Cx<'a> {
    pub now: Timestamp,
    pub batch: &'a mut Batch,
    pub admission: &'a mut Admission,
    pub governors: &'a mut Governors,
    pub timers: &'a mut Timers,
    pub turns: &'a mut Turns,
    pub node: &'a mut NodeRecord,
    pub token: &'a mut FencingToken,
    /// The main program of each definition: where sub-flows are looked up.
    pub programs: &'a BTreeMap<DefinitionId, Arc<Program>>,
    pub polls: &'a mut Polls,
    pub results: &'a mut Results,
    pub callbacks: &'a mut Callbacks,
    pub agenda: &'a mut Agenda,
}

/// What follows from a transition, in order. A list instead of recursion: a chain of a million tasks that are skipped
/// must not use up the stack.
pub(crate) type Agenda = VecDeque<Todo>;

/// One thing that follows.
#[derive(Debug)]
pub(crate) enum Todo {
    /// An arrival may have made the task ready.
    Consider(RunId, Key),
    /// All tasks of a branch or iteration have ended.
    ScopeDone(RunId, u32),
    /// The run may have ended.
    MayEnd(RunId),
    /// A task failed that nothing excuses: the run ends so.
    Fatal(RunId, RunOutcome, TaskError),
    /// A sub-run, or a run that one starts and does not wait for, begins.
    StartChild(Box<RunRecord>, Option<Found>),
    /// A sub-run has ended.
    ChildEnded {
        parent: Parent,
        child: RunId,
        outcome: RunOutcome,
        output: Payload,
        error: Option<TaskError>,
    },
    /// The task that waits for a sub-run wants something of it.
    ToChild { child: RunId, parent: Parent, order: Order },
    /// A sub-run lives again: so does the task that waits for it.
    Revive { parent: Parent, child: RunId },
    /// An update is meant for a task of a sub-run.
    Update(Box<Update>),
    /// Part of a rollback has been done.
    UndoNext(RunId),
}

/// The definition of a run that was looked up for it.
#[derive(Debug)]
pub(crate) struct Found {
    pub program: Arc<Program>,
    pub definition: Arc<DefinitionRecord>,
}

/// What a task may want of its sub-run.
#[derive(Debug)]
pub(crate) enum Order {
    /// It is to end; why, for people.
    Cancel(String),
    /// What it has completed is to be undone.
    Rollback,
    /// It is to go on from its failures.
    Retry,
}

impl Cx<'_> {
    /// The next token, larger than all before.
    pub(crate) fn next_token(&mut self) -> FencingToken {
        #[cfg(feature = "planted-faults")]
        if partitur_model::planted::Planted::TokenReused.is_here() && self.now.micros().is_multiple_of(3) {
            return *self.token;
        }
        *self.token = self.token.next();
        *self.token
    }

    /// The task no longer wants to start; what it was granted and has not used yet is given back, too.
    pub(crate) fn take_back(&mut self, task: TaskKey) {
        self.admission.withdraw(task);
        self.admission.release(self.now, task);
    }

    pub(crate) fn event(&mut self, run: RunId, what: EventKind) {
        let event = Event { at: self.now, run, what };
        self.batch.effect(Effect::Event(event));
    }

    /// The id of a new run; its number is durable with the batch.
    pub(crate) fn new_run_id(&mut self, random: u64) -> RunId {
        self.node.last_run += 1;
        self.batch.node(*self.node);
        RunId::new(0, self.node.last_run, random)
    }
}
