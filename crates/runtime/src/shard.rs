//! The loop of a node, one turn at a time.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use partitur_engine::{BadRows, Batch, BatchNo, Boot, Effect, Engine, Input, Program, StoredRun, Submission};
use partitur_model::change::Change;
use partitur_model::event::EventKind;
use partitur_model::record::{DefinitionRecord, RunRecord};
use partitur_model::{DefinitionId, RunId, Timestamp};
use partitur_store::{Commit, Completion, Quarantined, Store, StoreError};

/// Turns the stored sources of a definition into a program; the message of what is wrong with them otherwise.
pub type Compile = dyn Fn(&DefinitionRecord) -> Result<Arc<Program>, String> + Send;

/// How a shard is set up.
#[derive(Debug, Default)]
pub struct Options {
    /// The engine's part.
    pub engine: partitur_engine::Options,
    /// Which of the runs that have not ended go on at once; the others rest until [`Shard::adopt`].
    pub adopt: Adopt,
    /// How long changes may gather that nobody waits for. Zero commits what is there at once, as a server should;
    /// a few milliseconds suit a machine whose every processor is wanted by the tasks themselves.
    pub gather: Duration,
}

/// Which runs go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Adopt {
    /// All, as a server does.
    #[default]
    All,
    /// Those with these numbers, with their sub-runs.
    Only(Vec<u64>),
}

/// The shard could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// What is stored cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The shard cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// Nobody knows whether the last commit is on the disk. The process has to end; the next start reads what is there.
    #[error("the outcome of a commit is unknown, and nothing may be decided on a guess: {0}")]
    Poisoned(StoreError),
    /// What is there takes no commit, now or later. Nothing of the last one is on the disk.
    #[error("nothing more can be written: {0}")]
    Unwritable(StoreError),
}

impl ShardError {
    /// What the store said.
    pub fn cause(&self) -> &StoreError {
        match self {
            ShardError::Poisoned(error) | ShardError::Unwritable(error) => error,
        }
    }
}

/// What a start found.
#[derive(Debug, Default)]
pub struct Opened {
    /// The runs that go on.
    pub runs: Vec<RunId>,
    /// The runs that rest, without their sub-runs.
    pub resting: Vec<RunRecord>,
    /// Rows that could not be read.
    pub quarantined: Vec<Quarantined>,
    /// Runs whose rows do not fit together, or whose definition can no longer be read.
    pub bad: Vec<BadRows>,
}

/// An engine and its store.
pub struct Shard<S> {
    engine: Engine,
    store: S,
    compile: Box<Compile>,
    gather: Duration,
    /// What has changed since the last commit was submitted.
    batch: Batch,
    /// When the first change of it was made.
    since: Option<Timestamp>,
    /// Somebody waits for what it holds.
    urgent: bool,
    /// What is on its way to the disk: at most one batch, so that the next one gathers meanwhile.
    in_flight: Option<InFlight>,
    durable: BatchNo,
    released: Vec<Effect>,
    /// Since when the disk has refused to write, and why.
    trouble: Option<(Timestamp, StoreError)>,
    completions: Vec<Completion>,
    commits: u64,
    families: Families,
}

/// Which runs that rested at the start belong together.
#[derive(Debug, Default)]
struct Families {
    parents: BTreeMap<RunId, RunId>,
    all: Vec<RunId>,
}

impl Families {
    fn of(runs: &[partitur_store::StoredRun]) -> Families {
        let parent = |run: &partitur_store::StoredRun| Some((run.run.id, run.run.parent?.run));
        Families {
            parents: runs.iter().filter_map(parent).collect(),
            all: runs.iter().map(|run| run.run.id).collect(),
        }
    }

    fn root(&self, mut run: RunId) -> RunId {
        while let Some(&parent) = self.parents.get(&run) {
            run = parent;
        }
        run
    }
}

impl Adopt {
    fn takes(&self, root: RunId) -> bool {
        match self {
            Adopt::All => true,
            Adopt::Only(numbers) => numbers.contains(&root.number()),
        }
    }
}

/// A batch on its way to the disk.
struct InFlight {
    number: BatchNo,
    /// Shared with the store, which may have to be given it again.
    changes: Arc<[Change]>,
    effects: VecDeque<Effect>,
    /// When to try again after the disk has refused.
    again: Option<Timestamp>,
}

/// While a batch is on its way, so many changes gather before nothing is done any more that nobody has asked for.
const OPEN_MAX: usize = 8_192;

/// After the disk has refused, it is tried again this often.
const PROBE: Duration = Duration::from_millis(250);

impl<S: Store> Shard<S> {
    /// Opens the store and takes up what is there. Effects of that, as of everything, come with [`Shard::turn`].
    ///
    /// # Errors
    /// If nothing can be read at all; damaged runs are set aside and reported.
    pub fn open(
        options: Options,
        mut store: S,
        compile: Box<Compile>,
        now: Timestamp,
    ) -> Result<(Shard<S>, Opened), OpenError> {
        let recovered = store.recover()?;
        let mut opened = Opened { quarantined: recovered.quarantined, ..Opened::default() };
        let mut programs = Vec::new();
        for definition in &recovered.definitions {
            match compile(definition) {
                Ok(program) => programs.push((definition.id, program)),
                Err(problem) => opened.quarantined.push(Quarantined {
                    run: None,
                    reason: format!("the definition `{}` can no longer be read: {problem}", definition.name),
                }),
            }
        }
        let families = Families::of(&recovered.runs);
        let (runs, resting): (Vec<_>, Vec<_>) =
            recovered.runs.into_iter().partition(|stored| options.adopt.takes(families.root(stored.run.id)));
        opened.resting =
            resting.into_iter().map(|stored| stored.run).filter(|run| run.parent.is_none()).collect();
        let submitted = recovered.submitted.into_iter();
        let boot = Boot {
            submitted: submitted.map(|known| (known.key, known.run, known.created)).collect(),
            node: recovered.node,
            breakers: recovered.breakers,
            programs,
            runs: runs.into_iter().map(stored_run).collect(),
        };
        let mut batch = Batch::new(BatchNo(1));
        let (engine, bad) = Engine::new(options.engine, boot, now, &mut batch);
        opened.runs = engine.resident().collect();
        opened.bad = bad;
        let shard = Shard {
            engine,
            store,
            compile,
            gather: options.gather,
            batch,
            since: Some(now),
            urgent: true,
            in_flight: None,
            durable: BatchNo(0),
            released: Vec::new(),
            trouble: None,
            completions: Vec::new(),
            commits: 0,
            families,
        };
        Ok((shard, opened))
    }

    /// One input.
    pub fn step(&mut self, now: Timestamp, input: Input) {
        let before = self.batch.effects().len();
        let input = match input {
            Input::Submit(submission) => Input::Submit(self.with_holder_of_key(submission)),
            Input::Noted { input, notes } => match *input {
                Input::Submit(submission) => {
                    let submission = Input::Submit(self.with_holder_of_key(submission));
                    Input::Noted { input: Box::new(submission), notes }
                }
                other => Input::Noted { input: Box::new(other), notes },
            },
            other => other,
        };
        self.engine.step(now, input, &mut self.batch);
        if !self.batch.is_empty() {
            self.since.get_or_insert(now);
        }
        self.release_early(before);
    }

    /// Takes what the store has completed, does what is due, and submits what has gathered. To be called after inputs,
    /// when the store wakes its owner, and at [`Shard::wake`].
    ///
    /// # Errors
    /// When nothing may go on.
    pub fn turn(&mut self, now: Timestamp) -> Result<(), ShardError> {
        loop {
            self.take_completions(now)?;
            if self.engine_wake().is_some_and(|at| at <= now) {
                self.step(now, Input::Tick);
            }
            self.load_what_is_wanted(now)?;
            if !self.flush(now) {
                return Ok(());
            }
        }
    }

    /// A run that rested goes on, with its sub-runs; its attempts from before this start are dead.
    pub fn adopt(&mut self, now: Timestamp, root: RunId) {
        let family: Vec<RunId> =
            self.families.all.iter().copied().filter(|&run| self.families.root(run) == root).collect();
        self.families.all.retain(|run| !family.contains(run));
        for run in family {
            let stored = match self.store.load_run(run) {
                Ok(Some(stored)) => stored,
                Ok(None) | Err(_) => continue,
            };
            let input = self.with_program(stored);
            self.step(now, input);
        }
        self.step(now, Input::AttemptsLost);
    }

    /// The rows of these runs go, if none of the runs is in memory; whether they do. Whoever asks has seen on the disk that
    /// they have ended.
    pub fn forget(&mut self, now: Timestamp, runs: &[RunId]) -> bool {
        let is_done = self.engine.forget(runs, &mut self.batch);
        if is_done {
            self.since.get_or_insert(now);
        }
        is_done
    }

    /// The effects that may be carried out now.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.released)
    }

    /// When [`Shard::turn`] has something to do although nothing happens.
    pub fn wake(&self) -> Option<Timestamp> {
        let flush = if self.in_flight.is_none() { self.since.map(|since| since + self.gather) } else { None };
        let again = self.in_flight.as_ref().and_then(|batch| batch.again);
        [self.engine_wake(), flush, again].into_iter().flatten().min()
    }

    /// When the engine wants to do something by itself. What goes on without waiting for anybody would fill memory while
    /// the disk does not keep up: then it waits for the disk.
    fn engine_wake(&self) -> Option<Timestamp> {
        let has_room = self.in_flight.is_none() || self.batch.changes().len() < OPEN_MAX;
        self.engine.wake().filter(|_| has_room)
    }

    /// Whether everything that was decided is durable and nothing waits to be released.
    pub fn is_quiet(&self) -> bool {
        self.in_flight.is_none() && self.batch.is_empty() && self.released.is_empty()
    }

    /// Since when the disk has refused to write, and why.
    pub fn trouble(&self) -> Option<&(Timestamp, StoreError)> {
        self.trouble.as_ref()
    }

    /// The batch in which what is stepped now is gathered.
    pub fn open_batch(&self) -> BatchNo {
        self.batch.number()
    }

    /// Everything up to this batch is on the disk.
    pub fn durable_batch(&self) -> BatchNo {
        self.durable
    }

    /// Somebody waits for the open batch: it does not gather any longer.
    pub fn hurry(&mut self) {
        self.urgent |= !self.batch.is_empty();
    }

    /// The engine, to look at.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The store, to read from.
    pub fn store(&mut self) -> &mut S {
        &mut self.store
    }

    /// The program of a definition, compiled as at recovery.
    ///
    /// # Errors
    /// What is wrong with its sources.
    pub fn compile(&self, definition: &DefinitionRecord) -> Result<Arc<Program>, String> {
        (self.compile)(definition)
    }

    /// How many commits were made.
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// A submission with a key comes with the run that has the key on the disk: the engine knows of those in memory.
    fn with_holder_of_key(&mut self, mut submission: Box<Submission>) -> Box<Submission> {
        let server = submission.options.server.as_ref();
        if let Some((key, _)) = server.and_then(|server| server.idempotency.as_ref()) {
            // A disk that cannot be read keeps nobody from starting: whatever is started waits for it anyway.
            let known = self.store.run_under_key(&submission.program.definition.name, key);
            submission.under_key = known.unwrap_or_default();
        }
        submission
    }

    /// What needs nothing of its own batch is released at once, or with the batch that it needs and that is on its way.
    /// Questions need none: what is computed or looked up outside changes nothing there. Whatever else somebody waits
    /// for makes the batch urgent.
    fn release_early(&mut self, from: usize) {
        let durable = self.durable;
        let may_go = |effect: &Effect| rests_on(effect).is_some_and(|after| after <= durable);
        #[cfg(feature = "planted-faults")]
        let may_go = |effect: &Effect| {
            let answers = matches!(effect, Effect::Reply { .. });
            may_go(effect) || (answers && partitur_model::planted::Planted::ReplyBeforeCommit.is_here())
        };
        let on_its_way = self.in_flight.as_ref().map(|batch| batch.number);
        let goes_before = |effect: &Effect| {
            may_go(effect) || rests_on(effect).is_some_and(|after| Some(after) <= on_its_way)
        };
        let urgent = &mut self.urgent;
        let early = self.batch.take_effects(from, |effect| {
            let goes = goes_before(effect);
            *urgent |= !goes && is_waited_for(effect);
            goes
        });
        for effect in early {
            match &mut self.in_flight {
                Some(batch) if !may_go(&effect) => batch.effects.push_back(effect),
                Some(_) | None => self.released.push(effect),
            }
        }
    }

    fn take_completions(&mut self, now: Timestamp) -> Result<(), ShardError> {
        let mut completions = std::mem::take(&mut self.completions);
        self.store.completions(&mut completions);
        for completion in completions.drain(..) {
            match completion {
                Completion::Durable(number) => self.durable(now, number),
                Completion::Failed(_, error @ StoreError::Poisoned(_)) => {
                    return Err(ShardError::Poisoned(error));
                }
                Completion::Failed(_, error) if error.is_temporary() => self.refused(now, error),
                Completion::Failed(_, error) => return Err(ShardError::Unwritable(error)),
            }
        }
        self.completions = completions;
        Ok(())
    }

    fn durable(&mut self, now: Timestamp, number: BatchNo) {
        self.trouble = None;
        self.durable = number;
        if let Some(batch) = self.in_flight.take() {
            self.released.extend(batch.effects);
        }
        self.step(now, Input::Durable(number));
    }

    /// The disk has refused the batch. Nothing that it holds was acknowledged; it is kept and tried again, and
    /// whatever is decided meanwhile waits behind it.
    fn refused(&mut self, now: Timestamp, error: StoreError) {
        if let Some(batch) = &mut self.in_flight {
            batch.again = Some(now + PROBE);
        }
        let since = self.trouble.take().map_or(now, |(since, _)| since);
        self.trouble = Some((since, error));
    }

    fn load_what_is_wanted(&mut self, now: Timestamp) -> Result<(), ShardError> {
        // Bringing one run may show that another is wanted.
        while let Some(run) = self.next_wanted() {
            let input = match self.store.load_run(run) {
                Ok(Some(stored)) => self.with_program(stored),
                Ok(None) => Input::NotFound(run),
                Err(error @ StoreError::Poisoned(_)) => return Err(ShardError::Poisoned(error)),
                // A run that cannot be read answers like one that is not there; `doctor` tells more.
                Err(_) => Input::NotFound(run),
            };
            self.step(now, input);
        }
        Ok(())
    }

    fn next_wanted(&mut self) -> Option<RunId> {
        let mut wanted = self.released.extract_if(.., |effect| matches!(effect, Effect::Load(_)));
        if let Some(Effect::Load(run)) = wanted.next() { Some(run) } else { None }
    }

    /// A run that ended before this start comes with a definition that nobody has compiled yet.
    fn with_program(&mut self, stored: partitur_store::StoredRun) -> Input {
        let (run, definition) = (stored.run.id, stored.run.definition);
        if !self.engine.knows(definition) {
            match self.program(definition) {
                Some(program) => self.engine.learn(definition, program),
                None => return Input::NotFound(run),
            }
        }
        Input::Loaded(Box::new(stored_run(stored)))
    }

    fn program(&mut self, id: DefinitionId) -> Option<Arc<Program>> {
        let record = self.store.definition(id).ok()??;
        (self.compile)(&record).ok()
    }

    /// Submits what has gathered, if it is time. Says whether it did.
    fn flush(&mut self, now: Timestamp) -> bool {
        if let Some(batch) = &mut self.in_flight {
            if batch.again.is_some_and(|again| again <= now) {
                batch.again = None;
                self.store.submit(Commit { number: batch.number, changes: batch.changes.clone() });
                return true;
            }
            return false;
        }
        let Some(since) = self.since else { return false };
        if !self.urgent && now < since + self.gather {
            return false;
        }
        let number = self.batch.number();
        let batch = std::mem::replace(&mut self.batch, Batch::new(number.next()));
        self.since = None;
        self.urgent = false;
        let (changes, effects) = batch.into_parts();
        if changes.is_empty() {
            // Effects without changes rest on what is durable already.
            self.durable = number;
            self.released.extend(effects);
            self.step(now, Input::Durable(number));
            return true;
        }
        self.commits += 1;
        let changes: Arc<[Change]> = changes.into();
        self.store.submit(Commit { number, changes: changes.clone() });
        self.in_flight = Some(InFlight { number, changes, effects: effects.into(), again: None });
        true
    }
}

/// The batch without which the effect must not go, where that is not its own.
fn rests_on(effect: &Effect) -> Option<BatchNo> {
    match effect {
        Effect::Dispatch { after, .. } | Effect::HandOut { after, .. } => Some(*after),
        Effect::Load(_) | Effect::Evaluate { .. } | Effect::Resolve { .. } => Some(BatchNo(0)),
        Effect::Stop(_) | Effect::Reply { .. } | Effect::Event(_) => None,
    }
}

/// Whether somebody waits for this to be durable: of events, for the end of a run alone.
fn is_waited_for(effect: &Effect) -> bool {
    match effect {
        Effect::Event(event) => matches!(event.what, EventKind::Run { state } if state.is_ended()),
        Effect::Dispatch { .. }
        | Effect::HandOut { .. }
        | Effect::Load(_)
        | Effect::Stop(_)
        | Effect::Evaluate { .. }
        | Effect::Resolve { .. }
        | Effect::Reply { .. } => true,
    }
}

fn stored_run(stored: partitur_store::StoredRun) -> StoredRun {
    StoredRun { run: stored.run, tasks: stored.tasks }
}

#[cfg(test)]
mod tests {
    use partitur_engine::compile;
    use partitur_model::definition::{Definition, Kind, Node, Scope};
    use partitur_model::dispatch::{Ending, Report, ReportKind};
    use partitur_model::record::{RunOptions, SourceFormat};
    use partitur_model::{AttemptId, Payload};
    use partitur_store::MemoryStore;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    /// Nothing but the end of something makes a patient shard commit.
    fn patient() -> Shard<MemoryStore> {
        let options = Options { gather: Duration::from_secs(3_600), ..Options::default() };
        let compile = Box::new(|_: &DefinitionRecord| Err("nothing is stored yet".to_owned()));
        let mut shard = Shard::open(options, MemoryStore::default(), compile, NOW).unwrap().0;
        shard.turn(NOW).unwrap();
        shard
    }

    fn submission(tasks: usize) -> Input {
        let nodes = (0..tasks).map(|at| Node::new(format!("t{at}"), Kind::Command(Default::default())));
        let root = Scope { nodes: nodes.collect(), edges: Vec::new() };
        let definition = Arc::new(Definition { name: "flow".into(), root, ..Definition::default() });
        let record = DefinitionRecord {
            id: DefinitionId(1),
            name: "flow".to_owned(),
            format: SourceFormat::Json,
            files: Vec::new(),
        };
        Input::Submit(Box::new(Submission {
            program: compile(&definition).unwrap(),
            definition: Arc::new(record),
            input: Payload::object::<&str>([]),
            options: RunOptions::default(),
            random: 0,
            under_key: None,
            expected: Vec::new(),
            reply: None,
        }))
    }

    fn dispatched(shard: &mut Shard<MemoryStore>) -> Vec<AttemptId> {
        shard.turn(NOW).unwrap();
        let attempt = |effect| match effect {
            Effect::Dispatch { dispatch, .. } => Some(dispatch.attempt),
            Effect::HandOut { .. }
            | Effect::Resolve { .. }
            | Effect::Load(_)
            | Effect::Stop(_)
            | Effect::Evaluate { .. }
            | Effect::Reply { .. }
            | Effect::Event(_) => None,
        };
        shard.take_effects().into_iter().filter_map(attempt).collect()
    }

    fn done(shard: &mut Shard<MemoryStore>, attempt: AttemptId) {
        let what = ReportKind::Ended(Box::new(Ending::success(None)));
        shard.step(NOW, Input::Report(Report { attempt, what }));
        shard.turn(NOW).unwrap();
    }

    #[test]
    fn the_end_of_a_task_may_gather_and_the_end_of_its_run_may_not() {
        let mut shard = patient();
        shard.step(NOW, submission(2));
        let attempts = dispatched(&mut shard);
        assert_eq!(attempts.len(), 2);
        let before = shard.commits();
        done(&mut shard, attempts[0]);
        assert_eq!(shard.commits(), before, "nobody waits for one task of two");
        done(&mut shard, attempts[1]);
        assert_eq!(shard.commits(), before + 1, "whoever follows the run waits for its end");
    }
}
