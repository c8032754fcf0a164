//! Searches among tasks, compared with looking at every task.

use std::sync::Arc;
use std::time::Duration;

use partitur_model::change::Change;
use partitur_model::definition::Label;
use partitur_model::record::*;
use partitur_model::{FencingToken, TaskSeq, Timestamp};
use partitur_store::{Order, Reader, Search, SearchedTask, TaskSearch};
use proptest::option::of;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::support::*;

const RUNS: u64 = 150;

const BASE: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A run every ten minutes; some take five hours, some do not end.
fn run_of_some(number: u64) -> RunRecord {
    let created = BASE + Duration::from_secs(600 * number);
    let state = match number % 5 {
        0 => RunState::Running,
        1 => RunState::Ended(RunOutcome::Failed),
        _ => RunState::Ended(RunOutcome::Succeeded),
    };
    let takes = Duration::from_secs(if number.is_multiple_of(7) { 18_000 } else { 60 });
    let server = ServerOptions { correlation: Some(format!("c{}", number % 9)), ..ServerOptions::default() };
    RunRecord {
        name: ["month-end", "invoices"][number as usize % 2].into(),
        state,
        created,
        begun: created,
        ended: state.is_ended().then(|| created + takes),
        options: RunOptions { server: Some(Arc::new(server)), ..RunOptions::default() },
        ..run(number)
    }
}

fn task_of_some(run: &RunRecord, seq: u32) -> TaskRecord {
    let salt = run.id.number() as u32 * 7 + seq;
    let last = run.ended.unwrap_or(BASE + Duration::from_secs(600 * 200));
    let ready = run.created + Duration::from_millis(u64::from(seq));
    let ended = (run.ended.is_some() || seq < 2).then_some(if seq == 4 { last } else { ready });
    let state = match (ended, salt % 6) {
        (None, 0) => TaskState::Ready,
        (None, _) => {
            TaskState::Running { token: FencingToken(9), deadline: Timestamp::MAX, lease: Timestamp::MAX }
        }
        (Some(_), 0) => TaskState::Ended(TaskOutcome::Failed),
        (Some(_), 1) => TaskState::Ended(TaskOutcome::Skipped),
        (Some(_), _) => TaskState::Ended(TaskOutcome::Succeeded),
    };
    let kind = ["HTTP", "pay", "WAIT"][salt as usize % 3];
    let label =
        Label { task_type: kind.into(), definition: format!("{kind}-{}", seq % 2), optional: seq == 3 };
    let served = Served {
        skipped_by_hand: salt.is_multiple_of(2),
        updated: ended.unwrap_or(ready),
        first_ready: ready,
        called: Called((seq != 5).then(|| Arc::new(label))),
        ..Served::default()
    };
    TaskRecord {
        node: format!("n{}", salt % 4).into(),
        path: format!("n{}", salt % 4).into(),
        scope: (seq == 2).then_some(ScopeRef { container: TaskSeq(1), index: salt }),
        state,
        ready,
        started: ended.map(|_| ready),
        ended,
        error: (state == TaskState::Ended(TaskOutcome::Failed)).then(|| TaskError::new("x", "y")),
        served: Some(Box::new(served)),
        ..task(run.id.number(), seq)
    }
}

fn label_of(task: &TaskRecord) -> Option<&Label> {
    task.served.as_ref()?.called.0.as_deref()
}

fn is_troubled(task: &TaskRecord) -> bool {
    match task.state {
        TaskState::Ended(outcome) if outcome.is_failure() => true,
        TaskState::Ended(TaskOutcome::Skipped) => task.served.as_ref().is_some_and(|it| it.skipped_by_hand),
        TaskState::Ended(_) => task.error.is_some(),
        _ => false,
    }
}

#[derive(Clone, Debug)]
struct Wanted {
    search: TaskSearch,
    kind: Option<&'static str>,
    node: Option<&'static str>,
}

fn any_wanted() -> impl Strategy<Value = Wanted> {
    let time = || (0_u64..200).prop_map(|step| BASE + Duration::from_secs(step * 577));
    let times = of((time(), time()));
    let name = of((0..2_usize).prop_map(|at| ["month-end", "invoices"][at]));
    let kind = of((0..4_usize).prop_map(|at| ["HTTP", "pay", "WAIT", "none"][at]));
    let node = of((0..4_usize).prop_map(|at| ["n0", "n1", "n2", "n3"][at]));
    let correlation = of((0..9_u32).prop_map(|at| format!("c{at}")));
    let how = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), 0_usize..4, 0_usize..60);
    (times, name, kind, node, correlation, how).prop_map(
        |(times, name, kind, node, correlation, (troubled, open, once_a_run, oldest, offset, limit))| {
            let search = TaskSearch {
                runs: Search {
                    names: name.into_iter().map(str::to_owned).collect(),
                    correlations: correlation.into_iter().collect(),
                    order: if oldest { Order::OldestFirst } else { Order::NewestFirst },
                    offset,
                    limit,
                    ..Search::default()
                },
                troubled: troubled && !open,
                open,
                times: times.map_or(Timestamp::ZERO..=Timestamp::MAX, |(from, to)| from..=to),
                once_a_run,
            };
            Wanted { search, kind, node }
        },
    )
}

fn expected(tasks: &[(RunRecord, TaskRecord)], wanted: &Wanted) -> (Vec<(u64, u32)>, usize) {
    let search = &wanted.search;
    let mut found: Vec<(u64, u32)> = tasks
        .iter()
        .filter(|(run, task)| {
            let correlation =
                run.options.server.as_ref().and_then(|server| server.correlation.clone()).unwrap();
            (search.runs.names.is_empty() || search.runs.names.contains(&run.name))
                && (search.runs.correlations.is_empty() || search.runs.correlations.contains(&correlation))
                && label_of(task).is_some_and(|label| wanted.kind.is_none_or(|kind| label.task_type == kind))
                && wanted.node.is_none_or(|node| &*task.node == node)
                && (!search.troubled || is_troubled(task))
                && (!search.open || !task.state.is_ended())
                && times_of(task.ready, task.ended, wanted)
        })
        .map(|(run, task)| (run.id.number(), task.seq.0))
        .collect();
    if search.runs.order == Order::NewestFirst {
        found.sort_by_key(|&(run, seq)| (std::cmp::Reverse(run), seq));
    }
    if search.once_a_run {
        found.dedup_by_key(|&mut (run, _)| run);
    }
    let total = found.len();
    (found.into_iter().skip(search.runs.offset).take(search.runs.limit).collect(), total)
}

/// Of what begins and ends within the times, or is as yet without an end, the caller's filter takes what ends in them.
fn times_of(ready: Timestamp, ended: Option<Timestamp>, wanted: &Wanted) -> bool {
    let times = &wanted.search.times;
    *times == (Timestamp::ZERO..=Timestamp::MAX) || times.contains(&ended.unwrap_or(ready))
}

#[test]
fn a_search_among_tasks_finds_what_looking_at_every_task_finds() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("partitur.db");
    let runs: Vec<RunRecord> = (1..=RUNS).map(run_of_some).collect();
    let tasks: Vec<(RunRecord, TaskRecord)> =
        runs.iter().flat_map(|run| (1..=6).map(|seq| (run.clone(), task_of_some(run, seq)))).collect();
    let changes =
        runs.iter().cloned().map(add_run).chain(tasks.iter().map(|(_, task)| add_task(task.clone())));
    commit(&mut sqlite(&path), 1, changes.collect::<Vec<Change>>());
    let reader = Reader::open(&path).unwrap();
    proptest!(ProptestConfig::with_cases(1_500), |(wanted in any_wanted())| {
        let called = |label: &Label, node: &str| {
            wanted.kind.is_none_or(|kind| label.task_type == kind)
                && wanted.node.is_none_or(|wanted| node.is_empty() || node == wanted)
        };
        let fits = |_: &Label, task: &SearchedTask| {
            wanted.node.is_none_or(|node| task.node == node)
                && (!wanted.search.open || !task.state.is_ended())
                && times_of(task.ready, task.ended, &wanted)
        };
        let found = reader.search_tasks(&wanted.search, called, fits).unwrap();
        let numbers: Vec<(u64, u32)> = found.tasks.iter().map(|(run, seq)| (run.number(), seq.0)).collect();
        prop_assert_eq!((numbers, found.total), expected(&tasks, &wanted));
        prop_assert!(found.total_is_exact);
    });
}
