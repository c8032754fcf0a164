//! Records with any value in any field.

use std::sync::Arc;

use partitur_model::callback::{Callback, Moment, Moments, Receiver};
use partitur_model::catalogue::{Entry, EntryKind, LogLine};
use partitur_model::change::Change;
use partitur_model::definition::OnFailure;
use partitur_model::note::{Note, NoteKind};
use partitur_model::record::*;
use partitur_model::{DefinitionId, FencingToken, Payload, RunId, TaskSeq, Timestamp};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::long_text;

/// Of few runs, so that changes meet.
fn any_run_id() -> impl Strategy<Value = RunId> {
    (prop_oneof![Just(0), Just(1), Just(4095)], 1_u64..3)
        .prop_map(|(shard, number)| RunId::new(shard, number, number * 77))
}

fn any_id() -> impl Strategy<Value = RunId> {
    (0_u16..4096, 0..=RunId::NUMBER_MAX, any::<u64>())
        .prop_map(|(shard, number, random)| RunId::new(shard, number, random))
}

fn any_definition_id() -> impl Strategy<Value = DefinitionId> {
    prop_oneof![Just(DefinitionId(0)), Just(DefinitionId(u128::MAX))]
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        Just(Timestamp::ZERO),
        Just(Timestamp::MAX),
        any::<u64>().prop_map(Timestamp::from_micros),
        (1_700_000_000_000_u64..1_900_000_000_000).prop_map(Timestamp::from_millis),
    ]
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        any::<String>(),
        (any::<u64>(), 1_usize..5_000).prop_map(|(seed, length)| long_text(seed, length)),
    ]
}

fn any_payload() -> impl Strategy<Value = Payload> {
    let leaf = prop_oneof![
        Just(Payload::Null),
        Just(Payload::from(true)),
        any::<u64>().prop_map(Payload::from),
        Just(Payload::parse("0.10").unwrap()),
        any_text().prop_map(|text| Payload::string(&text)),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Payload::list),
            vec(("[a-z\"]{0,4}", inner), 0..3).prop_map(Payload::object),
        ]
    })
}

fn any_error() -> impl Strategy<Value = TaskError> {
    (any_text(), any_text(), any::<bool>()).prop_map(|(code, message, retriable)| TaskError {
        code,
        message,
        retriable,
    })
}

fn any_token() -> impl Strategy<Value = FencingToken> {
    any::<u64>().prop_map(FencingToken)
}

fn any_run_outcome() -> impl Strategy<Value = RunOutcome> {
    prop_oneof![
        Just(RunOutcome::Succeeded),
        Just(RunOutcome::Failed),
        Just(RunOutcome::Cancelled),
        Just(RunOutcome::TimedOut),
        Just(RunOutcome::RolledBack),
        Just(RunOutcome::RollbackFailed),
    ]
}

fn any_run_state() -> impl Strategy<Value = RunState> {
    prop_oneof![
        Just(RunState::Running),
        Just(RunState::Paused),
        any_run_outcome().prop_map(RunState::Ending),
        any_run_outcome().prop_map(RunState::RollingBack),
        any_run_outcome().prop_map(RunState::Ended),
    ]
}

fn any_task_state() -> impl Strategy<Value = TaskState> {
    let cause = prop_oneof![
        Just(StopCause::Cancel),
        Just(StopCause::Timeout),
        Just(StopCause::HeartbeatLost),
        Just(StopCause::Reset),
        Just(StopCause::Unneeded),
    ];
    let outcome = prop_oneof![
        Just(TaskOutcome::Succeeded),
        Just(TaskOutcome::Failed),
        Just(TaskOutcome::TimedOut),
        Just(TaskOutcome::Cancelled),
        Just(TaskOutcome::Skipped),
    ];
    prop_oneof![
        Just(TaskState::Blocked),
        Just(TaskState::Ready),
        (any_token(), any_time(), any_time()).prop_map(|(token, deadline, lease)| TaskState::Running {
            token,
            deadline,
            lease
        }),
        (any_token(), cause).prop_map(|(token, cause)| TaskState::Stopping { token, cause }),
        any_time().prop_map(|until| TaskState::Backoff { until }),
        any_time().prop_map(|until| TaskState::Waiting { until }),
        Just(TaskState::Open),
        outcome.prop_map(TaskState::Ended),
    ]
}

fn any_undo() -> impl Strategy<Value = UndoState> {
    prop_oneof![
        Just(UndoState::None),
        (any_token(), any::<u32>()).prop_map(|(token, attempt)| UndoState::Running { token, attempt }),
        (any_time(), any::<u32>()).prop_map(|(until, attempt)| UndoState::Backoff { until, attempt }),
        Just(UndoState::Done),
        Just(UndoState::Failed),
    ]
}

fn any_server_options() -> impl Strategy<Value = ServerOptions> {
    let mode = prop_oneof![
        Just(Idempotency::Fail),
        Just(Idempotency::ReturnExisting),
        Just(Idempotency::FailOnRunning),
    ];
    let domains = vec((any_text(), any_text()), 0..3);
    (of(any_text()), any::<u8>(), domains, of((any_key(), mode)), any_text(), of(any_text())).prop_map(
        |(correlation, priority, domains, idempotency, creator, event)| ServerOptions {
            version: u32::from(priority) + 1,
            correlation,
            priority,
            domains,
            idempotency,
            creator,
            event,
        },
    )
}

/// Often the same, so that keys meet.
fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![Just("k".to_owned()), any_text()]
}

fn any_options() -> impl Strategy<Value = RunOptions> {
    let on_failure =
        prop_oneof![Just(OnFailure::Continue), Just(OnFailure::FailFast), Just(OnFailure::Rollback)];
    (
        of(on_failure),
        of(any::<u32>()),
        vec(any_text(), 0..3),
        of(any_key()),
        vec((any_text(), any_text()), 0..3),
        vec(any_callback(), 0..3),
        of(any_server_options().prop_map(Arc::new)),
    )
        .prop_map(|(on_failure, concurrency, targets, dedup_key, labels, callbacks, server)| RunOptions {
            on_failure,
            concurrency,
            targets,
            dedup_key,
            labels,
            callbacks,
            server,
        })
        .boxed()
}

fn any_callback() -> impl Strategy<Value = Callback> {
    let to = prop_oneof![
        "[a-z]{1,5}".prop_map(|name| Receiver::Named(name.into())),
        "[a-z]{1,5}".prop_map(|host| Receiver::Url(format!("https://{host}/").into())),
    ];
    let moments = vec(select(&Moment::ALL[..]), 0..4).prop_map(|moments| Moments::of(&moments));
    (to, of(moments), of("[a-z]{1,5}"), any::<bool>()).prop_map(|(to, moments, secret, output)| Callback {
        to,
        moments,
        secret,
        output,
    })
}

pub fn any_run() -> impl Strategy<Value = RunRecord> {
    let parent = (any_id(), any::<u32>(), any::<u32>()).prop_map(|(run, task, generation)| Parent {
        run,
        task: TaskSeq(task),
        generation,
    });
    let head = (any_run_id(), any_definition_id(), any_text(), any_key(), of(parent), any_run_state());
    let body =
        (any::<u32>(), any_payload(), any_payload(), of(any_payload()), of(any_error()), any_options());
    (head, body, (any_time(), any_time()), (of(any_time()), of(any_id())))
        .prop_map(|(head, body, (created, begun), (ended, failure_run))| {
            let (id, definition, flow, name, parent, state) = head;
            let (generation, input, variables, output, error, options) = body;
            RunRecord {
                id,
                definition,
                flow,
                name,
                parent,
                state,
                generation,
                input,
                variables,
                output,
                error,
                options,
                created,
                begun,
                ended,
                failure_run,
            }
        })
        // The stack of a test is small.
        .boxed()
}

fn any_served() -> impl Strategy<Value = Served> {
    let counts = (any::<u32>(), any::<u32>(), any::<u32>());
    let names = (of(any_text()), of(any_text()));
    let checking = of(prop_oneof![Just(Checking::Input), Just(Checking::Output)]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<u32>(), checking);
    (any_payload(), of(any::<u32>()), counts, flags, names, (any_time(), any_time()))
        .prop_map(|(input, retry_of, counts, flags, (worker, domain), (updated, first_ready))| Served {
            input,
            retry_of: retry_of.map(TaskSeq),
            retries: counts.0,
            superseded: flags.0,
            skipped_by_hand: flags.1,
            by_hand: flags.2,
            uncounted: flags.3,
            checking: flags.4,
            worker: worker.map(Arc::from),
            domain: domain.map(Arc::from),
            polls: counts.1,
            held_back: counts.2,
            updated,
            first_ready,
            called: Called::default(),
        })
        .boxed()
}

pub fn any_task() -> impl Strategy<Value = TaskRecord> {
    let scope = (any::<u32>(), any::<u32>())
        .prop_map(|(container, index)| ScopeRef { container: TaskSeq(container), index });
    let log = (any::<u64>(), any::<u64>()).prop_map(|(from, to)| LogSpan { from, to });
    let usage = (any::<u64>(), any::<u64>()).prop_map(|(cpu_micros, rss_max)| Usage { cpu_micros, rss_max });
    let seq = prop_oneof![0_u32..3, Just(u32::MAX)];
    let path = of(any_text());
    let head = (any_run_id(), seq, any_text(), of(scope), path, any_task_state());
    let counts = (any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>());
    let times = (any_time(), of(any_time()), of(any_time()));
    let results = (of(any_payload()), of(any_error()), of(any_payload()), of(any_id()));
    let rest = (any_undo(), any::<bool>(), of(log), usage, of(any_served().prop_map(Box::new)));
    (head, counts, times, results, rest)
        .prop_map(|(head, counts, times, results, rest)| {
            let (run, seq, node, scope, path, state) = head;
            let (generation, attempt, losses, iteration) = counts;
            let (ready, started, ended) = times;
            let (output, error, items, child) = results;
            let (undo, cached, log, usage, served) = rest;
            let node: Arc<str> = node.into();
            TaskRecord {
                run,
                seq: TaskSeq(seq),
                path: path.map_or_else(|| node.clone(), Arc::from),
                node,
                scope,
                state,
                generation,
                attempt,
                losses,
                ready,
                started,
                ended,
                output,
                error,
                items,
                iteration,
                child,
                undo,
                cached,
                log,
                usage,
                served,
            }
        })
        .boxed()
}

/// The two definitions that runs refer to; a definition never changes.
pub fn definitions() -> [DefinitionRecord; 2] {
    let file = |path: &str, text: String| SourceFile { path: path.into(), text: text.into() };
    [
        DefinitionRecord {
            id: DefinitionId(0),
            name: "ä".into(),
            format: SourceFormat::NodesEdges,
            files: vec![file("flow.json", "{}".into()), file("z/../a.yaml", long_text(3, 40_000))],
        },
        DefinitionRecord {
            id: DefinitionId(u128::MAX),
            name: String::new(),
            format: SourceFormat::Conductor,
            files: Vec::new(),
        },
    ]
}

fn any_breaker() -> impl Strategy<Value = BreakerRecord> {
    let state = prop_oneof![
        any::<u32>().prop_map(|failures| BreakerState::Closed { failures }),
        any_time().prop_map(|until| BreakerState::Open { until }),
        any::<u32>().prop_map(|successes| BreakerState::HalfOpen { successes }),
    ];
    ("[ab]", state).prop_map(|(name, state)| BreakerRecord { name, state })
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let kind = (0..EntryKind::ALL.len()).prop_map(|at| EntryKind::ALL[at]);
    let body = of(any_payload().prop_map(|body| body.to_raw()));
    ((kind, "[ab]", 0_u32..2), body, (any_time(), any_time())).prop_map(
        |((kind, name, version), body, (created, updated))| Entry {
            kind,
            name: name.into(),
            version,
            body,
            created,
            updated,
        },
    )
}

fn any_lines() -> impl Strategy<Value = Vec<LogLine>> {
    vec((any_time(), any_text()).prop_map(|(at, text)| LogLine { at, text: text.into() }), 0..3)
}

fn any_note() -> impl Strategy<Value = Note> {
    let kind = (0..NoteKind::ALL.len()).prop_map(|at| NoteKind::ALL[at]);
    let about = prop_oneof![Just("a".to_owned()), any_run_id().prop_map(|run| run.to_string())];
    let body = of(any_payload().prop_map(|body| body.to_raw()));
    let id = prop_oneof![
        "[ab]",
        (any_run_id(), any_id(), any::<bool>()).prop_map(|(near, far, is_near)| {
            format!("{}.{}", if is_near { near } else { far }, u8::from(is_near))
        }),
    ];
    (kind, id, about, any_time(), of(any_run_id()), body).prop_map(|(kind, id, about, at, run, body)| Note {
        kind,
        id: id.into(),
        about: about.into(),
        at,
        run,
        body,
    })
}

pub fn any_change() -> impl Strategy<Value = Change> {
    let node = (any::<u32>(), any::<u64>(), any_time())
        .prop_map(|(epoch, last_run, time)| Change::Node(NodeRecord { epoch, last_run, time }));
    let definition =
        (0_usize..2).prop_map(|which| Change::Definition(Box::new(definitions()[which].clone())));
    prop_oneof![
        1 => node,
        1 => definition,
        3 => any_run().prop_map(|run| Change::Run(Box::new(run))),
        6 => any_task().prop_map(|task| Change::Task(Box::new(task))),
        1 => (any_run_id(), 0_u32..3).prop_map(|(run, seq)| Change::RemoveTask(run, TaskSeq(seq))),
        1 => any_run_id().prop_map(Change::RemoveRun),
        1 => any_breaker().prop_map(Change::Breaker),
        2 => any_entry().prop_map(|entry| Change::Entry(Box::new(entry))),
        2 => any_note().prop_map(|note| Change::Note(Box::new(note))),
        2 => (any_run_id(), 0_u32..3, any_lines())
            .prop_map(|(run, seq, lines)| Change::Log(run, TaskSeq(seq), lines)),
    ]
}

pub fn any_batches() -> impl Strategy<Value = Vec<Vec<Change>>> {
    vec(vec(any_change(), 0..8), 1..8)
}
