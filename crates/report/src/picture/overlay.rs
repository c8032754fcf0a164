//! What a run has made of each task: its rows by place, and what they come to where a task was executed many times.

use std::collections::BTreeMap;
use std::time::Duration;

use partitur_graph::render::State;
use partitur_model::record::{TaskOutcome, TaskRecord, TaskState, UndoState};
use partitur_model::{RunId, TaskSeq};

use crate::story::Story;

/// Where tasks are executed: in a run, or in a container of it.
pub type Stage = (RunId, Option<TaskSeq>);

/// The rows of a run and its sub-runs.
pub struct Overlay<'a> {
    /// Where the tasks of the document itself are executed.
    pub root: Stage,
    tasks: BTreeMap<(Stage, &'a str), Vec<&'a TaskRecord>>,
}

impl<'a> Overlay<'a> {
    /// The rows of this run.
    pub fn of(story: &Story<'a>) -> Overlay<'a> {
        let mut tasks: BTreeMap<(Stage, &'a str), Vec<&'a TaskRecord>> = BTreeMap::new();
        let mut open = vec![story];
        while let Some(story) = open.pop() {
            for task in story.tasks {
                let stage = (story.run.id, task.scope.map(|scope| scope.container));
                tasks.entry((stage, &task.node)).or_default().push(task);
            }
            open.extend(&story.children);
        }
        Overlay { root: (story.run.id, None), tasks }
    }

    /// All rows of a task on these stages.
    pub fn rows(&self, stages: &[Stage], node: &'a str) -> Vec<&'a TaskRecord> {
        stages
            .iter()
            .flat_map(|&stage| self.tasks.get(&(stage, node)).into_iter().flatten())
            .copied()
            .collect()
    }
}

/// What the rows of a task come to: what needs attention counts more than what is done.
pub fn state(rows: &[&TaskRecord]) -> State {
    const WEIGHTS: [State; 9] = [
        State::Failed,
        State::Retrying,
        State::Running,
        State::Ready,
        State::Cancelled,
        State::Waiting,
        State::Undone,
        State::Succeeded,
        State::Skipped,
    ];
    let states: Vec<State> = rows.iter().map(|row| state_of(row)).collect();
    WEIGHTS.into_iter().find(|state| states.contains(state)).unwrap_or(State::Waiting)
}

fn state_of(row: &TaskRecord) -> State {
    match row.undo {
        UndoState::Done => return State::Undone,
        UndoState::Running { .. } | UndoState::Backoff { .. } => return State::Running,
        UndoState::None | UndoState::Failed => {}
    }
    match row.state {
        TaskState::Blocked => State::Waiting,
        TaskState::Ready => State::Ready,
        TaskState::Running { .. }
        | TaskState::Stopping { .. }
        | TaskState::Waiting { .. }
        | TaskState::Open => State::Running,
        TaskState::Backoff { .. } => State::Retrying,
        TaskState::Ended(outcome) => match outcome {
            TaskOutcome::Succeeded => State::Succeeded,
            TaskOutcome::Skipped => State::Skipped,
            TaskOutcome::Cancelled => State::Cancelled,
            TaskOutcome::Failed | TaskOutcome::TimedOut => State::Failed,
        },
    }
}

/// How long they took together, and how many of them have ended.
pub fn took(rows: &[&TaskRecord]) -> (Duration, usize) {
    let spans = rows.iter().filter_map(|row| Some(row.ended?.since(row.started?)));
    (spans.sum(), rows.iter().filter(|row| row.ended.is_some()).count())
}
