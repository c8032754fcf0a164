//! Searches, compared with looking at every run.

use std::sync::Arc;

use partitur_model::change::Change;
use partitur_model::record::*;
use partitur_model::{DefinitionId, RunId, TaskSeq, Timestamp};
use partitur_store::{Clause, Column, Found, Order, Reader, Search, TOTAL_MAX, Test};
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
        priority: [0, 0, 0, 2, 7][pick(5, 10) as usize],
        creator: ["", "ada", "bob"][pick(3, 11) as usize].into(),
        event: (pick(11, 12) == 0).then(|| "timer".into()),
        idempotency: (pick(4, 13) == 0).then(|| (format!("key-{}", pick(5, 14)), Idempotency::Fail)),
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
        let texts = [run.name.clone(), correlation.to_owned()];
        texts.into_iter().chain(error.into_iter().flatten()).any(|it| it.to_lowercase().contains(&text))
            || text.len() >= 10 && run.id.to_string().starts_with(&text)
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
        .filter(|run| search.before.is_none_or(|before| run.id.number() < before.number()))
        .filter(|run| !search.served || run.options.server.is_some())
        .filter(|run| search.also.iter().all(|clause| holds(run, clause)))
        .filter(|run| search.text.as_ref().is_none_or(|text| has(run, text)))
        .map(|run| run.id.number())
        .collect();
    if search.order == Order::NewestFirst {
        numbers.reverse();
    }
    let total = numbers.len();
    (numbers.into_iter().skip(search.offset).take(search.limit).collect(), total)
}

/// What a clause says, by looking.
fn holds(run: &RunRecord, clause: &Clause) -> bool {
    let server = run.options.server.as_ref();
    let text = match clause.column {
        Column::Correlation => correlation(run).map(str::to_owned),
        Column::IdempotencyKey => server.and_then(|it| Some(it.idempotency.as_ref()?.0.clone())),
        Column::Creator => server.map(|it| it.creator.clone()).filter(|it| !it.is_empty()),
        Column::Event => server.and_then(|it| it.event.clone()),
        Column::Reason => {
            // Long ones stand apart, and are no match for patterns.
            run.error.as_ref().map(|error| error.message.clone()).filter(|it| it.len() < 1_000)
        }
        Column::Priority => server.map(|it| it.priority.to_string()),
        Column::Version => server.map(|it| it.version.to_string()),
        Column::Updated => Some(run.ended.unwrap_or(run.begun).micros().to_string()),
        Column::Parent => run.parent.map(|parent| parent.run.number().to_string()),
    };
    let is_there = match clause.column {
        Column::Reason => run.error.is_some(),
        _ => text.is_some(),
    };
    passes(&clause.test, text.as_deref(), is_there)
}

fn passes(test: &Test, text: Option<&str>, is_there: bool) -> bool {
    match test {
        Test::In(values) => text.is_some_and(|text| values.iter().any(|value| value == text)),
        Test::Like(patterns) => text.is_some_and(|text| {
            patterns.iter().any(|pattern| match pattern.split_once('*') {
                Some((start, end)) => {
                    text.len() >= start.len() + end.len() && text.starts_with(start) && text.ends_with(end)
                }
                None => text == pattern,
            })
        }),
        Test::Between(from, to) => {
            text.and_then(|text| text.parse().ok()).is_some_and(|number: i64| (*from..=*to).contains(&number))
        }
        Test::IsThere(wanted) => is_there == *wanted,
        Test::Not(inner) => !passes(inner, text, is_there),
    }
}

fn any_clause() -> impl Strategy<Value = Clause> {
    use Column::*;
    let columns = [Correlation, IdempotencyKey, Creator, Event, Reason, Priority, Version, Parent];
    let values =
        ["order-7", "ORDER-8", "key-3", "ada", "timer", "The Printer is on fire", "0", "2", "7", "x"];
    let patterns = ["ord*", "*-7", "O*8", "*", "a*a", "The*", "key-*", "*[?]", "2"];
    let test = prop_oneof![
        2 => vec((0..values.len()).prop_map(move |at| values[at].to_owned()), 0..3).prop_map(Test::In),
        2 => vec((0..patterns.len()).prop_map(move |at| patterns[at].to_owned()), 0..2).prop_map(Test::Like),
        1 => any::<bool>().prop_map(Test::IsThere),
    ];
    let test =
        (test, any::<bool>()).prop_map(|(test, not)| if not { Test::Not(Box::new(test)) } else { test });
    let named = ((0..columns.len()).prop_map(move |at| columns[at]), test)
        .prop_map(|(column, test)| Clause { column, test });
    let numbers = (any::<bool>(), 0_i64..4, 0_i64..9).prop_map(|(version, from, to)| Clause {
        column: if version { Version } else { Priority },
        test: Test::Between(from, to),
    });
    let updated = (any_time(), any_time()).prop_map(|(from, to)| {
        let end = |time: Timestamp| i64::try_from(time.micros()).unwrap_or(i64::MAX);
        Clause { column: Updated, test: Test::Between(end(from), end(to)) }
    });
    prop_oneof![3 => named, 1 => numbers, 1 => updated]
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
    let also = (vec(any_clause(), 0..3), any::<bool>(), of((1..=RUNS).prop_map(run_id)));
    (what, ids, definitions, times, text, (order, 0_usize..9, 0_usize..40), also).prop_map(
        |(what, ids, definitions, (created, ended), text, (order, offset, limit), (also, served, before))| {
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
                served,
                also,
                before,
                patience: std::time::Duration::MAX,
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
