//! What people and other programs want, at random.

use partitur_engine::{Command, TaskName, UpdateStatus};
use partitur_model::catalogue::{Entry, LogLine};
use partitur_model::definition::OnFailure;
use partitur_model::record::{RunOptions, TaskError, TaskState};
use partitur_model::{DefinitionId, Payload, RunId, TaskSeq};

use super::{AGENTS, CONCURRENCY, Documents};
use crate::rng::Rng;
use crate::rows::Rows;

/// Something that somebody wants.
pub enum Wish {
    /// A run.
    Submit(DefinitionId, RunOptions),
    /// Something of a run.
    Command(RunId, Command),
    /// The run may leave memory.
    Evict(RunId),
    /// So many attempts at once.
    Concurrency(u32),
    /// The breaker is to be closed.
    ResetBreaker,
    /// A task stands like this.
    Update(RunId, TaskName, UpdateStatus),
    /// A document of the catalogue is to be kept.
    Keep(Entry),
    /// Something was written about a task.
    Log(RunId, TaskSeq, LogLine),
}

#[derive(Clone, Copy)]
enum Sort {
    Submit,
    Pause,
    Unpause,
    Cancel,
    CancelTask,
    CancelAgent,
    Signal,
    Retry,
    Rerun,
    Restart,
    Rollback,
    Evict,
    Concurrency,
    ResetBreaker,
    Stranger,
}

const SORTS: [(u64, Sort); 15] = [
    (16, Sort::Submit),
    (5, Sort::Pause),
    (9, Sort::Unpause),
    (4, Sort::Cancel),
    (8, Sort::CancelTask),
    (2, Sort::CancelAgent),
    (12, Sort::Signal),
    (7, Sort::Retry),
    (7, Sort::Rerun),
    (3, Sort::Restart),
    (4, Sort::Rollback),
    (12, Sort::Evict),
    (3, Sort::Concurrency),
    (2, Sort::ResetBreaker),
    (1, Sort::Stranger),
];

/// No more runs than this are alive at once, so that each gets its turn.
const LIVE_MAX: usize = 8;

/// The next wish, given what is there.
pub fn wish(rng: &mut Rng, documents: &Documents, rows: &Rows) -> Wish {
    let live: Vec<RunId> = rows.runs().filter(|run| !run.state.is_ended()).map(|run| run.id).collect();
    let ended: Vec<RunId> = rows.runs().filter(|run| run.state.is_ended()).map(|run| run.id).collect();
    let sort = rng.weighted(&SORTS);
    if live.is_empty() || matches!(sort, Sort::Submit) && live.len() < LIVE_MAX {
        return submit(rng, documents);
    }
    // Once in a while the wish comes at the wrong time.
    let wrong = rng.percent(10) && !ended.is_empty();
    let alive = *rng.pick(if wrong { &ended } else { &live }).expect("not empty");
    let over = *rng.pick(if wrong || ended.is_empty() { &live } else { &ended }).expect("not empty");
    let command = match sort {
        Sort::Pause => (alive, Command::Pause),
        Sort::Unpause => (alive, Command::Unpause),
        Sort::Cancel => (alive, Command::Cancel { reason: "by hand".into() }),
        Sort::CancelTask => (alive, Command::CancelTask { task: task(rng, rows, alive) }),
        Sort::CancelAgent => (alive, Command::CancelAgent { agent: AGENTS[rng.below(2)].into() }),
        Sort::Signal | Sort::Submit => signal(rng, rows, alive, &live),
        Sort::Retry => (over, Command::Retry { resume_sub_runs: rng.percent(50) }),
        Sort::Rerun => (over, Command::Rerun { task: task(rng, rows, over) }),
        Sort::Restart => (over, Command::Restart),
        Sort::Rollback => (over, Command::Rollback),
        Sort::Evict => return Wish::Evict(if rng.percent(80) { alive } else { over }),
        Sort::Concurrency => return Wish::Concurrency(rng.between(1, u64::from(CONCURRENCY) + 2) as u32),
        Sort::ResetBreaker => return Wish::ResetBreaker,
        Sort::Stranger => (RunId::new(0, 1 << 40, rng.bits()), Command::Pause),
    };
    Wish::Command(command.0, command.1)
}

fn submit(rng: &mut Rng, documents: &Documents) -> Wish {
    let ids: Vec<DefinitionId> = documents.0.keys().copied().collect();
    let id = *rng.pick(&ids).expect("a world has documents");
    let root = &documents.0[&id].program.definition.root;
    let mut options = RunOptions::default();
    if rng.percent(15) {
        options.on_failure = Some(rng.weighted(&[
            (1, OnFailure::Continue),
            (1, OnFailure::FailFast),
            (2, OnFailure::Rollback),
        ]));
    }
    if rng.percent(20) {
        options.concurrency = Some(rng.between(1, 3) as u32);
    }
    if rng.percent(20) {
        // Few keys: some of them come twice.
        options.dedup_key = Some(format!("key{}", rng.below(3)));
    }
    if rng.percent(10) && !root.nodes.is_empty() {
        options.targets = vec![root.nodes[rng.below(root.nodes.len())].name.clone()];
    }
    Wish::Submit(id, options)
}

/// The path of one of the run's tasks; of none, once in a while.
fn task(rng: &mut Rng, rows: &Rows, run: RunId) -> String {
    let paths: Vec<&str> = rows.tasks(run).map(|task| &*task.path).collect();
    rng.pick(&paths).map_or("nobody", |path| path).to_owned()
}

/// A signal for a task that waits, in whatever run there is one; else for any task.
fn signal(rng: &mut Rng, rows: &Rows, run: RunId, live: &[RunId]) -> (RunId, Command) {
    let waiting: Vec<(RunId, &str)> = live
        .iter()
        .flat_map(|&run| rows.tasks(run))
        .filter(|task| matches!(task.state, TaskState::Waiting { .. }) && task.child.is_none())
        .map(|task| (task.run, &*task.path))
        .collect();
    let result = if rng.percent(80) {
        Ok(Payload::object([("n", Payload::from(3))]))
    } else {
        Err(TaskError::new("refused", "somebody said no"))
    };
    match rng.pick(&waiting).filter(|_| rng.percent(70)) {
        Some(&(run, path)) => (run, Command::Signal { task: path.into(), result }),
        None => (run, Command::Signal { task: task(rng, rows, run), result }),
    }
}
