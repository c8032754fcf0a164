//! What the clients of a server want, at random.

use std::time::Duration;

use partitur_engine::{Command, TaskName, UpdateStatus};
use partitur_model::catalogue::{Entry, EntryKind, LogLine};
use partitur_model::record::{Idempotency, RunOptions, ServerOptions, TaskRecord, TaskState};
use partitur_model::{DefinitionId, Payload, RunId, Timestamp};

use super::{Documents, TYPES, Wish};
use crate::rng::Rng;
use crate::rows::{Rows, is_past};

/// Workers of this domain come for the tasks of some runs.
pub const DOMAIN: &str = "east";

#[derive(Clone, Copy)]
enum Sort {
    Submit,
    Pause,
    Unpause,
    Cancel,
    Retry,
    RetryAfresh,
    Restart,
    RestartWith,
    RerunFrom,
    Skip,
    SetVariables,
    ReleaseHeldBack,
    Remove,
    RemoveRunning,
    Update,
    Evict,
    Keep,
    Log,
    Stranger,
}

const SORTS: [(u64, Sort); 19] = [
    (18, Sort::Submit),
    (4, Sort::Pause),
    (8, Sort::Unpause),
    (5, Sort::Cancel),
    (7, Sort::Retry),
    (4, Sort::RetryAfresh),
    (4, Sort::Restart),
    (2, Sort::RestartWith),
    (8, Sort::RerunFrom),
    (8, Sort::Skip),
    (3, Sort::SetVariables),
    (3, Sort::ReleaseHeldBack),
    (3, Sort::Remove),
    (1, Sort::RemoveRunning),
    (14, Sort::Update),
    (10, Sort::Evict),
    (2, Sort::Keep),
    (3, Sort::Log),
    (1, Sort::Stranger),
];

/// No more runs than this are alive at once, so that each gets its turn.
const LIVE_MAX: usize = 8;

/// The next wish, given what is there.
pub fn served_wish(rng: &mut Rng, documents: &Documents, rows: &Rows) -> Wish {
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
    let (run, command) = match sort {
        Sort::Pause => (alive, Command::Pause),
        Sort::Unpause => (alive, Command::Unpause),
        Sort::Cancel => (alive, Command::Cancel { reason: "by hand".into() }),
        Sort::Retry => (over, Command::Retry { resume_sub_runs: true }),
        Sort::RetryAfresh => (over, Command::Retry { resume_sub_runs: false }),
        Sort::Restart => (over, Command::Restart),
        Sort::RestartWith => (over, Command::RestartWith(Box::default())),
        Sort::RerunFrom => match a_task(rng, rows, over) {
            Some(task) => {
                let input = rng.percent(20).then(|| Payload::object([("v", Payload::from(7))]));
                (over, Command::RerunFrom { task: task.seq, input })
            }
            None => (over, Command::Restart),
        },
        Sort::Skip => (alive, skip(rng, documents, rows, alive)),
        Sort::SetVariables => (alive, Command::SetVariables(Payload::object([("v", Payload::from(2))]))),
        Sort::ReleaseHeldBack => (alive, Command::ReleaseHeldBack),
        Sort::Remove => (over, Command::Remove { running: false }),
        Sort::RemoveRunning => (alive, Command::Remove { running: true }),
        Sort::Update | Sort::Submit => return update(rng, rows, alive, &live),
        Sort::Evict => return Wish::Evict(if rng.percent(80) { alive } else { over }),
        Sort::Keep => return Wish::Keep(entry(rng)),
        Sort::Log => {
            let seq = a_task(rng, rows, alive).map_or(partitur_model::TaskSeq(99), |task| task.seq);
            return Wish::Log(alive, seq, line());
        }
        Sort::Stranger => (RunId::new(0, 1 << 40, rng.bits()), Command::Pause),
    };
    Wish::Command(run, command)
}

fn submit(rng: &mut Rng, documents: &Documents) -> Wish {
    let ids: Vec<DefinitionId> = documents.0.keys().copied().collect();
    let id = *rng.pick(&ids).expect("a world has documents");
    let modes = [Idempotency::Fail, Idempotency::ReturnExisting, Idempotency::FailOnRunning];
    let server = ServerOptions {
        version: 1,
        priority: rng.below(4) as u8,
        domains: if rng.percent(15) { vec![(TYPES[1].into(), DOMAIN.into())] } else { Vec::new() },
        // Few keys: some of them come twice.
        idempotency: rng.percent(20).then(|| (format!("key{}", rng.below(3)), modes[rng.below(3)])),
        creator: "somebody".into(),
        ..ServerOptions::default()
    };
    Wish::Submit(id, RunOptions { server: Some(server.into()), ..RunOptions::default() })
}

/// A row of the run that is not of the past.
fn a_task<'a>(rng: &mut Rng, rows: &'a Rows, run: RunId) -> Option<&'a TaskRecord> {
    let tasks: Vec<&TaskRecord> = rows.tasks(run).filter(|task| !is_past(task)).collect();
    rng.pick(&tasks).copied()
}

/// A task of the run's definition, whether it has begun or not.
fn skip(rng: &mut Rng, documents: &Documents, rows: &Rows, run: RunId) -> Command {
    let root = rows.run(run).map(|run| &documents.of(run).root);
    let node = root.and_then(|root| rng.pick(&root.nodes));
    let task = node.map_or_else(|| "nobody".to_owned(), |node| node.name.clone());
    Command::Skip { task, input: Payload::Null, output: Payload::object([("n", Payload::from(4))]) }
}

/// Somebody says how a task stands that is not his: mostly one that waits.
fn update(rng: &mut Rng, rows: &Rows, run: RunId, live: &[RunId]) -> Wish {
    let waits = |task: &&TaskRecord| matches!(task.state, TaskState::Waiting { until: Timestamp::MAX });
    let waiting: Vec<&TaskRecord> = live
        .iter()
        .flat_map(|&run| rows.tasks(run))
        .filter(waits)
        .filter(|task| task.child.is_none())
        .collect();
    let found = rng.pick(&waiting).copied().filter(|_| rng.percent(70)).or_else(|| a_task(rng, rows, run));
    let run = found.map_or(run, |task| task.run);
    let task = match (found, rng.below(3)) {
        (Some(task), 0) => TaskName::Seq(task.seq),
        (Some(task), 1) => TaskName::Reference(task.node.to_string()),
        (Some(_) | None, _) => TaskName::Blocked,
    };
    let status = rng.weighted(&[
        (8, UpdateStatus::Completed),
        (2, UpdateStatus::Failed),
        (1, UpdateStatus::FailedForGood),
        (1, UpdateStatus::Cancelled),
        (1, UpdateStatus::Alive),
        (1, UpdateStatus::InProgress { pause: Duration::from_secs(2) }),
    ]);
    Wish::Update(run, task, status)
}

fn entry(rng: &mut Rng) -> Entry {
    Entry {
        kind: EntryKind::Task,
        name: format!("task{}", rng.below(3)).into(),
        version: 1,
        body: Some(Payload::object([("retryCount", Payload::from(rng.below(3) as u64))]).to_raw()),
        created: Timestamp::ZERO,
        updated: Timestamp::ZERO,
    }
}

/// Something written about a task.
pub fn line() -> LogLine {
    LogLine { at: Timestamp::ZERO, text: "so far, so good".into() }
}
