use std::collections::BTreeMap;
use std::sync::Arc;

use partitur_model::change::{BatchNo, Change};
use partitur_model::definition::{Claim, ClaimMode, Definition, Flow, Kind, Node, SubRun, TemplateTree};
use partitur_model::dispatch::{Ending, Report, ReportKind};
use partitur_model::record::{
    BreakerState, DefinitionRecord, NodeRecord, RunOptions, RunOutcome, RunRecord, RunState, SourceFormat,
    TaskError, TaskRecord,
};
use partitur_model::{AttemptId, DefinitionId, Payload, Place, RunId, TaskSeq, Timestamp};

use crate::effect::{Answer, Effect, Refusal};
use crate::input::{Command, Input, ReplyTo, StoredRun, Submission};
use crate::program::{Program, compile};
use crate::{Batch, Boot, Engine, Options};

/// An engine and the rows that its batches have left.
struct Bench {
    engine: Engine,
    number: BatchNo,
    node: NodeRecord,
    runs: BTreeMap<RunId, RunRecord>,
    tasks: BTreeMap<(RunId, TaskSeq), TaskRecord>,
    programs: Vec<(DefinitionId, Arc<Program>)>,
}

impl Bench {
    fn new() -> Bench {
        let mut batch = Batch::new(BatchNo(1));
        let (engine, _) = Engine::new(Options::default(), Boot::default(), Timestamp::ZERO, &mut batch);
        let (runs, tasks, node) = (BTreeMap::new(), BTreeMap::new(), NodeRecord::default());
        Bench { engine, number: BatchNo(1), node, runs, tasks, programs: Vec::new() }
    }

    /// A run of tasks that stand side by side.
    fn submission(&mut self, nodes: Vec<Node>) -> Input {
        let mut definition = Definition { name: "bench".into(), ..Definition::default() };
        let kind = Kind::Command(Default::default());
        let child =
            Definition { root: scope(vec![Node::new("breaks at its end", kind)]), ..Definition::default() };
        definition.flows.insert("child".into(), Arc::new(child));
        definition.root = scope(nodes);
        let program = compile(&Arc::new(definition)).expect("it is sound");
        let id = DefinitionId(self.programs.len() as u128 + 1);
        self.programs.push((id, program.clone()));
        let format = SourceFormat::Yaml;
        let definition = Arc::new(DefinitionRecord { id, name: "bench".into(), format, files: Vec::new() });
        let options = RunOptions { dedup_key: Some(id.to_string()), ..RunOptions::default() };
        let (input, expected) = (Payload::Null, Vec::new());
        let reply = Some(ReplyTo(1));
        Input::Submit(Box::new(Submission {
            program,
            definition,
            input,
            options,
            random: 1,
            under_key: None,
            expected,
            reply,
        }))
    }

    /// Several inputs in one batch; what is to be done then.
    fn step(&mut self, inputs: Vec<Input>) -> Vec<Effect> {
        self.number = self.number.next();
        let mut batch = Batch::new(self.number);
        for input in inputs {
            self.engine.step(Timestamp::ZERO, input, &mut batch);
        }
        let (changes, mut effects) = batch.into_parts();
        for change in changes {
            self.apply(change);
        }
        let mut batch = Batch::new(self.number.next());
        self.engine.step(Timestamp::ZERO, Input::Durable(self.number), &mut batch);
        effects.extend(batch.into_parts().1);
        effects
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Node(node) => self.node = node,
            Change::Run(run) => {
                self.runs.insert(run.id, *run);
            }
            Change::Task(task) => {
                self.tasks.insert((task.run, task.seq), *task);
            }
            Change::Definition(_)
            | Change::RemoveTask(..)
            | Change::RemoveRun(_)
            | Change::Breaker(_)
            | Change::Entry(_)
            | Change::Note(_)
            | Change::Log(..) => {}
        }
    }

    /// The process starts again.
    fn restart(&mut self) -> Vec<Effect> {
        let runs = self.runs.values().map(|run| StoredRun {
            run: run.clone(),
            tasks: self.tasks.values().filter(|task| task.run == run.id).cloned().collect(),
        });
        let boot = Boot {
            node: self.node,
            breakers: Vec::new(),
            programs: self.programs.clone(),
            runs: runs.collect(),
            ..Boot::default()
        };
        let mut batch = Batch::new(BatchNo(1));
        let (engine, bad) = Engine::new(Options::default(), boot, Timestamp::ZERO, &mut batch);
        assert_eq!(bad, []);
        self.engine = engine;
        self.step(vec![Input::AttemptsLost])
    }

    fn run(&self, number: u64) -> RunId {
        *self.runs.keys().find(|run| run.number() == number).expect("it was submitted")
    }
}

fn scope(nodes: Vec<Node>) -> partitur_model::definition::Scope {
    partitur_model::definition::Scope { nodes, edges: Vec::new() }
}

fn task(name: &str) -> Node {
    Node::new(name, Kind::Command(Default::default()))
}

fn locked(name: &str) -> Node {
    let (resource, mode) = ("file:/x".into(), ClaimMode::Exclusive);
    let claims = vec![Claim { resource, mode, units: 1, expires: None, place: Place::root() }];
    Node { claims, ..task(name) }
}

fn dispatched(effects: &[Effect]) -> Vec<(String, AttemptId)> {
    let paths = effects.iter().filter_map(|effect| match effect {
        Effect::Dispatch { dispatch, .. } => Some((dispatch.path.to_string(), dispatch.attempt)),
        _ => None,
    });
    paths.collect()
}

fn succeeded(attempt: AttemptId) -> Input {
    Input::Report(Report { attempt, what: ReportKind::Ended(Box::new(Ending::success(None))) })
}

fn answers(effects: &[Effect]) -> Vec<Answer> {
    let answers = effects.iter().filter_map(|effect| match effect {
        Effect::Reply { answer, .. } => Some(answer.clone()),
        _ => None,
    });
    answers.collect()
}

#[test]
fn a_fault_takes_back_its_own_input_and_the_others_of_the_batch_stand() {
    let mut bench = Bench::new();
    let (broken, sound) =
        (bench.submission(vec![task("breaks at its end")]), bench.submission(vec![task("b")]));
    let begun = dispatched(&bench.step(vec![broken, sound]));
    let before = bench.tasks.clone();
    bench.step(vec![succeeded(begun[0].1), succeeded(begun[1].1)]);
    let first = (bench.run(1), TaskSeq(1));
    assert_eq!(bench.tasks[&first], before[&first], "the rows are as they were");
    assert_eq!(bench.runs[&bench.run(2)].state, RunState::Ended(RunOutcome::Succeeded));
    assert_eq!(bench.engine.quarantined().collect::<Vec<_>>(), [bench.run(1)]);
    assert_eq!(bench.engine.holders(), [], "the reported attempt is dead: its slot is free");
}

#[test]
fn living_attempts_of_a_run_that_is_set_aside_keep_their_locks_until_they_are_dead() {
    let mut bench = Bench::new();
    let broken = bench.submission(vec![locked("writes"), task("breaks at its end")]);
    let begun: BTreeMap<_, _> = dispatched(&bench.step(vec![broken])).into_iter().collect();
    let told = bench.step(vec![succeeded(begun["breaks at its end"])]);
    assert!(told.contains(&Effect::Stop(begun["writes"])));
    let rival = bench.submission(vec![locked("rival")]);
    assert_eq!(dispatched(&bench.step(vec![rival])), [], "the file may still be written to");
    let told = bench.step(vec![succeeded(begun["writes"]), succeeded(begun["writes"])]);
    assert_eq!(dispatched(&told)[0].0, "rival");
    assert_eq!(bench.engine.holders().len(), 1);
}

#[test]
fn a_fault_at_the_start_of_an_attempt_spares_whoever_asked() {
    let mut bench = Bench::new();
    let broken = bench.submission(vec![task("breaks at its start"), task("beside")]);
    let told = bench.step(vec![broken]);
    assert!(matches!(answers(&told)[..], [Answer::Accepted { duplicate: false, .. }]));
    assert_eq!(bench.runs.len(), 1, "it was accepted, and stays so");
    assert_eq!(bench.engine.quarantined().count(), 1);
    let living = dispatched(&told).into_iter().map(|(_, attempt)| succeeded(attempt)).collect();
    bench.step(living);
    assert_eq!(bench.engine.holders(), []);
    assert_eq!(bench.engine.waits(), []);
}

#[test]
fn a_submission_that_breaks_the_engine_leaves_no_trace() {
    let mut bench = Bench::new();
    let broken = bench.submission(vec![Node::new("breaks at its end", Kind::Noop)]);
    let told = bench.step(vec![broken.clone()]);
    assert_eq!(answers(&told), [Answer::Refused(Refusal::Incident(1))]);
    assert_eq!((bench.runs.len(), bench.engine.quarantined().count()), (0, 0));
    assert_eq!(
        answers(&bench.step(vec![broken])),
        [Answer::Refused(Refusal::Incident(2))],
        "no duplicate of it"
    );
}

#[test]
fn who_wants_something_of_a_run_that_is_set_aside_is_told() {
    let mut bench = Bench::new();
    let broken = bench.submission(vec![task("breaks at its end")]);
    let begun = dispatched(&bench.step(vec![broken]));
    bench.step(vec![succeeded(begun[0].1)]);
    let command = Input::Command { run: bench.run(1), command: Command::Pause, reply: Some(ReplyTo(9)) };
    assert_eq!(answers(&bench.step(vec![command])), [Answer::Refused(Refusal::Incident(1))]);
}

#[test]
fn after_a_restart_the_run_goes_on_from_its_rows() {
    let mut bench = Bench::new();
    let broken = bench.submission(vec![task("breaks at its end")]);
    let begun = dispatched(&bench.step(vec![broken]));
    bench.step(vec![succeeded(begun[0].1)]);
    let told = bench.restart();
    assert_eq!(dispatched(&told)[0].0, "breaks at its end");
    assert_eq!(bench.engine.quarantined().count(), 0);
    assert_eq!(bench.engine.holders().len(), 1);
}

#[test]
fn a_parent_outlives_its_sub_run_that_was_set_aside() {
    let mut bench = Bench::new();
    let sub = SubRun { flow: Flow::Frozen("child".into()), input: TemplateTree::default() };
    let parent = bench.submission(vec![Node::new("waits", Kind::SubRun(sub)), task("beside")]);
    let begun: BTreeMap<_, _> = dispatched(&bench.step(vec![parent])).into_iter().collect();
    bench.step(vec![succeeded(begun["breaks at its end"])]);
    assert_eq!(bench.engine.quarantined().collect::<Vec<_>>(), [bench.run(2)]);
    let cancel = Command::Cancel { reason: "by hand".into() };
    bench.step(vec![Input::Command { run: bench.run(1), command: cancel, reply: None }]);
    bench.step(vec![succeeded(begun["beside"])]);
    assert_eq!(bench.runs[&bench.run(1)].state, RunState::Ended(RunOutcome::Cancelled));
}

#[test]
fn a_breaker_stands_as_its_row_says() {
    let mut bench = Bench::new();
    let behind = |name: &str| Node { breaker: Some("erp".into()), ..task(name) };
    let broken = bench.submission(vec![behind("breaks at its end"), behind("beside")]);
    let begun: BTreeMap<_, _> = dispatched(&bench.step(vec![broken])).into_iter().collect();
    let failed = |attempt| {
        let error = TaskError::new("exit-1", "it failed");
        Input::Report(Report { attempt, what: ReportKind::Ended(Box::new(Ending::failure(error))) })
    };
    bench.step(vec![failed(begun["breaks at its end"])]);
    let states: Vec<_> = bench.engine.breakers().into_iter().map(|record| record.state).collect();
    assert_eq!(states, [BreakerState::Closed { failures: 0 }], "what was taken back has told it nothing");
}
