//! Searches, compared with looking at every run.

use std::sync::Arc;

use partitur_model::change::Change;
use partitur_model::record::*;
use partitur_model::{DefinitionId, RunId, TaskSeq, Timestamp};
use partitur_store::{Found, Order, Reader, Search, TOTAL_MAX};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::support::*;

const RUNS: u64 = 400;

/// Runs in which every criterion divides.
fn any_run_of_some(number: u64) -> RunRecord {
    let pick = |of: u64, salt: u64| (number * 2_654_435_761 + salt * 97) / 7 % of;
    let states = [
        RunState::Running,
        RunState::Paused,
        RunState::Ended(RunOutcome::Succeeded),
        RunState::Ended(RunOutcome::Failed),
    ];
    let state = states[pick(4, 1) as usize];
    let created = Timestamp::from_millis(1_800_000_000_000 + number / 3 * 10);
    let server = ServerOptions {
        version: pick(3, 8) as u32,
        correlation: [None, Some("order-7"), Some("ORDER-8")][pick(3, 2) as usize].map(Into::into),
        ..ServerOptions::default()
    };
    let parent = Parent { run: run_id(1), task: TaskSeq(1), generation: 0 };
    let long = format!("{} the pump stands still", long_text(number, 3_000));
    RunRecord {
        name: ["month-end", "invoices"][pick(2, 3) as usize].into(),
        state,
        definition: DefinitionId(u128::from(pick(3, 4))),
        parent: (pick(9, 5) == 0).then_some(parent),
        created,
        begun: created,
        ended: state.is_ended().then(|| created + std::time::Duration::from_millis(pick(500, 6))),
        error: (state == RunState::Ended(RunOutcome::Failed)).then(|| {
            TaskError::new("exit-1", if pick(2, 7) == 0 { long } else { "The Printer is on fire".into() })
        }),
        options: RunOptions { server: (pick(5, 9) > 0).then(|| Arc::new(server)), ..RunOptions::default() },
        ..run(number)
    }
}

fn all_runs() -> Vec<RunRecord> {
    (1..=RUNS).filter(|number| number % 13 != 0).map(any_run_of_some).collect()
}

/// What a search should find.
fn expected(runs: &[RunRecord], search: &Search) -> (Vec<u64>, usize) {
    let any = |is_empty: bool, found: bool| is_empty || found;
    let has = |run: &RunRecord, text: &str| {
        let text = text.to_lowercase();
        let correlation = correlation(run).unwrap_or_default();
        let error = run.error.as_ref().map(|error| [error.code.clone(), error.message.clone()]);
        let texts = [run.name.clone(), run.id.to_string(), correlation.to_owned()];
        texts.into_iter().chain(error.into_iter().flatten()).any(|it| it.to_lowercase().contains(&text))
    };
    let mut numbers: Vec<u64> = runs
        .iter()
        .filter(|run| any(search.names.is_empty(), search.names.contains(&run.name)))
        .filter(|run| {
            let version = run.options.server.as_ref().map(|server| server.version);
            any(search.versions.is_empty(), version.is_some_and(|it| search.versions.contains(&it)))
        })
        .filter(|run| any(search.states.is_empty(), search.states.contains(&run.state)))
        .filter(|run| {
            let correlation = correlation(run).unwrap_or_default().to_owned();
            any(search.correlations.is_empty(), search.correlations.contains(&correlation))
        })
        .filter(|run| any(search.parent.is_none(), run.parent.map(|parent| parent.run) == search.parent))
        .filter(|run| any(search.ids.is_empty(), search.ids.contains(&run.id)))
        .filter(|run| any(search.definitions.is_empty(), search.definitions.contains(&run.definition)))
        .filter(|run| search.created.contains(&run.created))
        .filter(|run| {
            search.ended.as_ref().is_none_or(|range| run.ended.is_some_and(|ended| range.contains(&ended)))
        })
        .filter(|run| search.text.as_ref().is_none_or(|text| has(run, text)))
        .map(|run| run.id.number())
        .collect();
    if search.order == Order::NewestFirst {
        numbers.reverse();
    }
    let total = numbers.len();
    (numbers.into_iter().skip(search.offset).take(search.limit).collect(), total)
}

fn correlation(run: &RunRecord) -> Option<&str> {
    run.options.server.as_ref()?.correlation.as_deref()
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        1 => Just(Timestamp::ZERO),
        1 => Just(Timestamp::MAX),
        3 => (0_u64..1_500).prop_map(|offset| Timestamp::from_millis(1_800_000_000_000 + offset)),
    ]
}

fn texts(texts: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    vec((0..texts.len()).prop_map(|at| texts[at].to_owned()), 0..3)
}

fn any_search() -> impl Strategy<Value = Search> {
    let states = vec((1..=RUNS).prop_map(|number| any_run_of_some(number).state), 0..3);
    let ids = prop_oneof![3 => Just(Vec::new()), 1 => vec((0..=RUNS).prop_map(run_id), 1..40)];
    let parent =
        prop_oneof![4 => Just(None), 1 => Just(Some(run_id(1))), 1 => Just(Some(RunId::new(0, 1, 9)))];
    let definitions = vec((0_u128..4).prop_map(DefinitionId), 0..3);
    let text = of((0..7_usize).prop_map(|at| {
        ["order", "printer", "STANDS STILL", "month", "exit-1", "00000000-01", "nowhere"][at].to_owned()
    }));
    let order = prop_oneof![Just(Order::NewestFirst), Just(Order::OldestFirst)];
    let what = (
        texts(&["month-end", "invoices", "x"]),
        vec(0_u32..4, 0..3),
        states,
        texts(&["order-7", "ORDER-8"]),
        parent,
    );
    let times = ((any_time(), any_time()), of((any_time(), any_time())));
    (what, ids, definitions, times, text, (order, 0_usize..9, 0_usize..40)).prop_map(
        |(what, ids, definitions, (created, ended), text, (order, offset, limit))| {
            let (names, versions, states, correlations, parent) = what;
            let (created, ended) = (created.0..=created.1, ended.map(|(from, to)| from..=to));
            Search {
                names,
                versions,
                states,
                correlations,
                parent,
                ids,
                definitions,
                created,
                ended,
                text,
                order,
                offset,
                limit,
            }
        },
    )
}

fn reader_of(dir: &TempDir, runs: &[RunRecord]) -> Reader {
    let path = dir.path().join("partitur.db");
    let changes: Vec<Change> = runs.iter().cloned().map(add_run).collect();
    commit(&mut sqlite(&path), 1, changes);
    Reader::open(path).unwrap()
}

fn numbers(found: &Found) -> Vec<u64> {
    found.runs.iter().map(|run| run.id.number()).collect()
}

#[test]
fn a_search_finds_what_looking_at_every_run_finds() {
    let (dir, runs) = (TempDir::new().unwrap(), all_runs());
    let reader = reader_of(&dir, &runs);
    proptest!(ProptestConfig::with_cases(1_500), |(search in any_search())| {
        let found = reader.search(&search).unwrap();
        prop_assert_eq!((numbers(&found), found.total), expected(&runs, &search));
        prop_assert!(found.total_is_exact && found.quarantined.is_empty());
    });
}

#[test]
fn matches_are_counted_up_to_a_limit_and_found_behind_it() {
    let dir = TempDir::new().unwrap();
    let runs: Vec<RunRecord> = (1..=TOTAL_MAX as u64 + 5).map(run).collect();
    let reader = reader_of(&dir, &runs);
    let search = Search { order: Order::OldestFirst, limit: 2, ..Search::default() };
    let found = reader.search(&Search { offset: TOTAL_MAX + 2, ..search.clone() }).unwrap();
    assert_eq!(numbers(&found), [TOTAL_MAX as u64 + 3, TOTAL_MAX as u64 + 4]);
    assert_eq!((found.total, found.total_is_exact), (TOTAL_MAX, false));
    let all_but_five = Timestamp::ZERO..=runs[TOTAL_MAX - 1].created;
    let found = reader.search(&Search { created: all_but_five, ..search }).unwrap();
    assert_eq!((numbers(&found), found.total, found.total_is_exact), (vec![1, 2], TOTAL_MAX, true));
}

#[test]
fn a_search_shows_what_can_be_read() {
    let dir = TempDir::new().unwrap();
    let reader = reader_of(&dir, &all_runs()[..4]);
    let conn = rusqlite::Connection::open(dir.path().join("partitur.db")).unwrap();
    conn.execute_batch(
        "UPDATE runs SET definition = x'00' WHERE key = 2; UPDATE runs SET state = 77 WHERE key = 3",
    )
    .unwrap();
    let found = reader.search(&Search::default()).unwrap();
    assert_eq!(numbers(&found), [4, 1]);
    assert_eq!(found.quarantined.iter().map(|bad| bad.run).collect::<Vec<_>>(), [Some(3), Some(2)]);
}
