//! `partitur run`: a document, or what its targets need.

mod sealed;
mod watch;

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use partitur::host::{Eviction, Fate, Loaded, Rehearsal, Scheduler, Session, Settings, environment};
use partitur_api::{OnFailure, Submit};
use partitur_model::Payload;
use partitur_model::record::{RunOutcome, RunRecord, RunState, SourceFormat};
use partitur_store::{Reader, RunFilter};
use partitur_worker::build::{Found, Nothing, Reach};
use sealed::Sealed;

use crate::document;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::follow::Scene;
use crate::host::{AT_ONCE, persist, settings};
use crate::plan::{self, Wanted};
use crate::progress::Look;
use crate::settings::{Global, make_state, open_reader};
use crate::undeclared;

/// Run a document, or what its targets need
///
/// Goes on with an unfinished run of the same document, inputs and targets; else starts a new one. A second
/// `partitur run` in the same directory joins the process that is at work there and shares its locks.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur run flow.yaml
  partitur run flow.yaml report -j 4 --input month=2026-10
  partitur run flow.yaml --dry-run             # the plan, nothing is executed
  partitur run flow.yaml --dry-run --explain   # and which tasks would be executed, and why
  partitur run flow.yaml --json | jq -r 'select(.event == \"task-ended\") | .task'
  partitur run flow.yaml --explain             # why each task is executed or not
  partitur run flow.yaml --watch               # again whenever a source changes
  PARTITUR_SECRET_ERP_TOKEN=… partitur run flow.yaml

Ctrl-C cancels gently; twice kills at once. After a crash, the same command goes on.")]
pub struct Run {
    /// The document: native YAML or JSON, nodes and edges, or a definition of Conductor's
    file: PathBuf,
    /// Only these tasks and what they need
    targets: Vec<String>,
    /// So many tasks at once [default: 10, or what the document says]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    concurrency: Option<u32>,
    /// An input; JSON unless the document declares it a string
    #[arg(short, long = "input", value_name = "NAME=VALUE")]
    inputs: Vec<String>,
    /// A file with a JSON object of inputs (`-` is standard input)
    #[arg(long, value_name = "FILE")]
    input_file: Option<PathBuf>,
    /// Show the plan and execute nothing; with --json as JSON
    #[arg(long)]
    dry_run: bool,
    /// What a failed task means for the others [default: what the document says]
    #[arg(long, value_name = "POLICY")]
    on_failure: Option<Policy>,
    /// The order in which ready tasks start
    #[arg(long, value_name = "ORDER", default_value = "critical-path")]
    order: Order,
    /// Share the places with the make, cargo and ninja that tasks start, if this process hosts
    ///
    /// A byte for each place lies in a fifo that MAKEFLAGS names, as GNU make's jobserver wants it: tasks and what they
    /// start have no more places together than --concurrency says. Needs make 4.4, ninja 1.13, or any cargo that has a
    /// jobserver; an older make stops when it is told of a fifo. Under a make that shares its own places, those are used
    /// without being asked for.
    #[arg(long, env = "PARTITUR_JOBSERVER")]
    jobserver: bool,
    /// Which cached results go first when there are too many, if this process hosts
    #[arg(long, value_name = "RULE", default_value = "lru", env = "PARTITUR_CACHE_EVICTION")]
    cache_eviction: CacheEviction,
    /// Execute every task, also those that are up to date
    #[arg(short, long)]
    force: bool,
    /// Run it again whenever something that its tasks read changes
    #[arg(long, conflicts_with_all = ["dry_run", "json"])]
    watch: bool,
    /// Say which files were written although no task declares to write them
    #[arg(long)]
    check_writes: bool,
    /// Survive power cuts, not only the end of the process (slower)
    #[arg(long)]
    durable: bool,
    /// Start a new run even if an equal one is unfinished
    #[arg(long)]
    new: bool,
    /// A directory with a file for each secret
    #[arg(long, value_name = "DIR")]
    secret_dir: Option<PathBuf>,
    /// Give tasks only PATH, HOME, USER, SHELL, LANG, LC_*, TZ, TMPDIR and TERM of the environment
    #[arg(long)]
    clean_env: bool,
    #[command(flatten)]
    look: Look,
}

/// What a failed task means for the others.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Policy {
    /// What does not depend on it goes on
    Continue,
    /// The others are cancelled
    FailFast,
    /// The others are cancelled and completed tasks undone
    Rollback,
}

/// The order in which ready tasks start.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Order {
    /// The longest remaining path first
    CriticalPath,
    /// As they become ready
    Fifo,
    /// The longest task first
    LongestFirst,
    /// The shortest task first
    ShortestFirst,
}

/// Which cached results go first.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum CacheEviction {
    /// Those that have not served for longest
    Lru,
    /// Those that served least often
    Lfu,
    /// Those written first
    Fifo,
}

impl Run {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        if self.watch {
            return watch::watch(&self.file, &self.targets);
        }
        // First of all: whoever has nothing to do need not even understand the document.
        let seal = Sealed::of(&self.wanted(), global);
        if let Some(seal) = seal.as_ref().filter(|_| self.may_be_spared()) {
            match seal.look() {
                Some(Found::Nothing(nothing)) => return Ok(self.tell_nothing(&nothing)),
                Some(Found::Little(reach)) => {
                    if let Some(loaded) = self.excerpt(seal, &reach, global) {
                        self.tell_little(&reach);
                        return self.execute(loaded, global, Some(seal.of_part(&reach)));
                    }
                }
                None => {}
            }
        }
        let loaded = document::open(&self.file, global.color)?;
        let seal = seal.filter(|_| Sealed::covers(&loaded.document.definition));
        let seal = seal.map(|seal| seal.of_whole(&loaded.document.definition));
        self.execute(loaded, global, seal)
    }

    /// The document as far as something has reached it, if that can be run alone.
    fn excerpt(&self, seal: &Sealed, reach: &Reach, global: &Global) -> Option<Loaded> {
        // Who asks what was written without being declared asks about all tasks.
        let loaded = seal.excerpt(&self.file, reach).filter(|_| !self.check_writes)?;
        // An unfinished run of the whole document goes on.
        let resting = match open_reader(&global.state_for(&loaded.dir)).ok()? {
            Some(reader) => resting(&reader, &loaded.record.name).ok()?,
            None => Vec::new(),
        };
        let is_its_own = |run: &RunRecord| run.definition == loaded.record.id;
        (resting.is_empty() || resting.iter().any(is_its_own)).then_some(loaded)
    }

    fn execute(&self, loaded: Loaded, global: &Global, seal: Option<String>) -> Result<Exit, Failure> {
        // Kept until the process ends: giving a large document back piece by piece would take milliseconds.
        let loaded: &'static Loaded = Box::leak(Box::new(loaded));
        let definition = loaded.document.definition.clone();
        self.refuse_targets(loaded)?;
        let input = document::inputs(&definition, self.input_file.as_deref(), &self.inputs, &self.targets)?;
        loaded.check_input(&input).map_err(|why| {
            Failure::usage(
                format!("the inputs are not as `inputSchema` wants them: {why}"),
                "give others with `--input NAME=VALUE`",
            )
        })?;
        let state = global.state_for(&loaded.dir);
        if self.dry_run {
            let wanted = Wanted {
                definition: &definition,
                targets: &self.targets,
                input: &input,
                state: &state,
                at_once: self.at_once(loaded),
                as_json: self.look.json,
            };
            let fates = self.look.explain.then(|| self.foresee(loaded, &input, &state)).transpose()?;
            return plan::show(&wanted, fates.as_deref());
        }
        let secrets = document::secrets(&definition, self.secret_dir.as_deref())?;
        make_state(&state)?;
        let settings = Settings {
            durable: self.durable,
            order: self.order.into(),
            eviction: self.cache_eviction.into(),
            jobserver: self.jobserver,
            ..settings(&state, Some(self.slots(loaded)), secrets)
        };
        if !self.look.json && !self.look.quiet {
            document::tell_warnings(loaded, &self.file);
        }
        let (mut session, run, resumed) = persist(|| self.begin(loaded, &input, &settings, seal.as_deref()))?;
        Scene {
            run,
            state,
            dir: loaded.dir.display().to_string(),
            definition,
            targets: self.targets.clone(),
            at_once: self.at_once(loaded),
            resumed,
            look: self.look,
            colour: global.color,
        }
        .follow(&mut session)
        .inspect(|_| self.say_what_is_undeclared(loaded, run, &settings.state_dir))
    }

    /// What would become of each task.
    fn foresee(
        &self,
        loaded: &Loaded,
        input: &Payload,
        state: &Path,
    ) -> Result<Vec<(Arc<str>, Fate)>, Failure> {
        let env = self.environment().into_iter();
        let env = env.map(|(name, value)| (OsString::from_vec(name), OsString::from_vec(value)));
        let (targets, env) = (&self.targets, env.collect());
        let wanted = Rehearsal { document: loaded, input, targets, state, env, force: self.force };
        Ok(wanted.foresee()?)
    }

    /// What cannot be told is not worth a failure: the run is over.
    fn say_what_is_undeclared(&self, loaded: &Loaded, run: u64, state: &Path) {
        if !self.check_writes {
            return;
        }
        match undeclared::find(&loaded.document.definition, &loaded.dir, run, state) {
            Ok(found) => found.iter().for_each(|found| eprintln!("! {found}")),
            Err(failure) => eprintln!("! what was written without being declared is not known: {failure}"),
        }
    }

    /// What makes two runs equal.
    fn wanted(&self) -> sealed::Wanted<'_> {
        sealed::Wanted {
            file: &self.file,
            targets: &self.targets,
            inputs: &self.inputs,
            input_file: self.input_file.as_deref(),
            clean_env: self.clean_env,
        }
    }

    /// Whether an answer without a run is one.
    fn may_be_spared(&self) -> bool {
        !self.force && !self.dry_run && !self.look.explain
    }

    /// What the run would yield is data, as after a run.
    fn tell_nothing(&self, nothing: &Nothing) -> Exit {
        let Nothing { tasks, run, output } = nothing;
        if self.look.json {
            let output: Option<serde_json::Value> =
                output.as_ref().and_then(|output| serde_json::from_str(output).ok());
            let event = serde_json::json!({
                "v": partitur_api::VERSION, "at": crate::progress::now(), "run": run,
                "event": "up-to-date", "tasks": tasks, "output": output,
            });
            println!("{event}");
            return Exit::Success;
        }
        if !self.look.quiet {
            eprintln!("nothing to do: {} up to date, as run {run} left them", counted(*tasks));
        }
        if let Some(output) = output.as_ref().filter(|_| !std::io::stdout().is_terminal()) {
            println!("{output}");
        }
        Exit::Success
    }

    fn tell_little(&self, reach: &Reach) {
        let Reach { asked, tasks, .. } = reach;
        let others = tasks - asked.len() as u64;
        self.say(&format!(
            "{others} of {tasks} tasks are up to date, and what has changed does not reach them"
        ));
    }

    /// What a definition of Conductor's leads to follows from its sequence: no part of it can be wanted alone.
    fn refuse_targets(&self, loaded: &Loaded) -> Result<(), Failure> {
        match loaded.document.format {
            SourceFormat::Conductor if !self.targets.is_empty() => Err(Failure::usage(
                "a definition of Conductor's has no targets",
                format!("run it as a whole: `partitur run {}`", self.file.display()),
            )),
            SourceFormat::Conductor | SourceFormat::Yaml | SourceFormat::Json | SourceFormat::NodesEdges => {
                Ok(())
            }
        }
    }

    /// How many tasks of the run live at once.
    fn at_once(&self, loaded: &Loaded) -> u32 {
        let declared = loaded.document.definition.concurrency.map(|concurrency| concurrency.max);
        self.concurrency.or(declared).unwrap_or(AT_ONCE)
    }

    /// How many the host has room for: never less than others may want.
    fn slots(&self, loaded: &Loaded) -> u32 {
        match self.concurrency {
            Some(wanted) => wanted,
            None => self.at_once(loaded).max(AT_ONCE),
        }
    }

    /// Goes on with a resting run or starts a new one; the last part of the answer says which.
    fn begin(
        &self,
        loaded: &Loaded,
        input: &Payload,
        settings: &Settings,
        seal: Option<&str>,
    ) -> Result<(Session, u64, bool), Failure> {
        let continued = if self.new || self.force { None } else { self.unfinished(loaded, input, settings)? };
        if let Some(run) = continued {
            return Ok((Session::enter(settings.clone(), &[run])?, run, true));
        }
        let (session, run) = self.submit(loaded, input, settings, seal)?;
        Ok((session, run, false))
    }

    fn submit(
        &self,
        loaded: &Loaded,
        input: &Payload,
        settings: &Settings,
        seal: Option<&str>,
    ) -> Result<(Session, u64), Failure> {
        let secrets = settings.secrets.clone();
        let mut session = Session::enter(settings.clone(), &[])?;
        session.lend(loaded);
        let accepted = session.submit(Submit {
            definition: (&loaded.record).into(),
            input: input.render(),
            on_failure: self.on_failure.map(Into::into),
            concurrency: self.concurrency,
            targets: self.targets.clone(),
            dedup_key: None,
            labels: self.labels(loaded)?,
            env: self.environment(),
            secrets,
            seal: seal.map(str::to_owned),
        })?;
        Ok((session, accepted.run))
    }

    fn labels(&self, loaded: &Loaded) -> Result<Vec<(String, String)>, Failure> {
        let dir = loaded.dir.to_str().ok_or_else(|| {
            let shown = loaded.dir.display();
            Failure::usage(
                format!("the name of the directory {shown} is no UTF-8"),
                "rename it: it is kept with the run, as text",
            )
        })?;
        let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
        let mut labels =
            vec![("dir".to_owned(), dir.to_owned()), ("file".to_owned(), self.file.display().to_string())];
        labels.extend(user.map(|user| ("user".to_owned(), user)));
        labels.extend(self.force.then(|| ("force".to_owned(), "yes".to_owned())));
        Ok(labels)
    }

    fn environment(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut env = environment();
        if self.clean_env {
            env.retain(|(name, _)| is_kept(name));
        }
        env
    }

    /// The resting run that this one goes on with, if there is one: the same document, inputs and targets. Of one that
    /// differs, one line is said.
    fn unfinished(
        &self,
        loaded: &Loaded,
        input: &Payload,
        settings: &Settings,
    ) -> Result<Option<u64>, Failure> {
        let Some(reader) = open_reader(&settings.state_dir)? else { return Ok(None) };
        let resting = resting(&reader, &loaded.record.name)?;
        if resting.is_empty() {
            return Ok(None);
        }
        // What a host is at work on does not rest: its terminal has it.
        let live = match Session::join(settings)? {
            Some(mut session) => session.status()?.runs,
            None => Vec::new(),
        };
        let resting: Vec<RunRecord> =
            resting.into_iter().filter(|run| !live.contains(&run.id.number())).collect();
        let differences: Vec<Vec<&str>> =
            resting.iter().map(|run| self.differences(loaded, input, run)).collect();
        let same = differences.iter().position(Vec::is_empty);
        if let Some(same) = same {
            let number = resting[same].id.number();
            self.say(&format!("going on with run {number}, which is unfinished (--new starts another)"));
            return Ok(Some(number));
        }
        if let (Some(old), Some(differs)) = (resting.first(), differences.first()) {
            let number = old.id.number();
            let differs = differs.join(" and ");
            self.say(&format!(
                "run {number} is unfinished, but its {differs} differ: this is a new run (`partitur resume {number}`)"
            ));
        }
        Ok(None)
    }

    fn say(&self, words: &str) {
        if !self.look.json && !self.look.quiet {
            eprintln!("{words}");
        }
    }

    fn differences(&self, loaded: &Loaded, input: &Payload, run: &RunRecord) -> Vec<&'static str> {
        let dir = run.options.labels.iter().find(|(name, _)| name == "dir").map(|(_, dir)| dir.as_str());
        let mut differences = Vec::new();
        if run.definition != loaded.record.id {
            differences.push("document");
        }
        if dir.is_some() && dir != loaded.dir.to_str() {
            differences.push("directory");
        }
        if run.input.to_value() != input.to_value() {
            differences.push("inputs");
        }
        if run.options.targets != self.targets {
            differences.push("targets");
        }
        differences
    }
}

/// Whether tasks are given a variable in a clean environment.
fn is_kept(name: &[u8]) -> bool {
    const KEPT: [&[u8]; 8] = [b"PATH", b"HOME", b"USER", b"SHELL", b"LANG", b"TZ", b"TMPDIR", b"TERM"];
    KEPT.contains(&name) || name.starts_with(b"LC_")
}

fn counted(tasks: u64) -> String {
    if tasks == 1 { "1 task is".to_owned() } else { format!("all {tasks} tasks are") }
}

/// Runs of this name that have not ended and are nobody's sub-runs, newest first.
fn resting(reader: &Reader, name: &str) -> Result<Vec<RunRecord>, Failure> {
    let filter = RunFilter { states: open_states(), name: Some(name.to_owned()), ..RunFilter::default() };
    let runs = reader.runs(&filter)?.runs;
    Ok(runs.into_iter().filter(|run| run.parent.is_none()).collect())
}

/// All states but the ended ones.
pub fn open_states() -> Vec<RunState> {
    let outcomes = [
        RunOutcome::Succeeded,
        RunOutcome::Failed,
        RunOutcome::Cancelled,
        RunOutcome::TimedOut,
        RunOutcome::RolledBack,
        RunOutcome::RollbackFailed,
    ];
    let mut states = vec![RunState::Running, RunState::Paused];
    states.extend(outcomes.map(RunState::Ending));
    states.extend(outcomes.map(RunState::RollingBack));
    states
}

impl From<Policy> for OnFailure {
    fn from(policy: Policy) -> OnFailure {
        match policy {
            Policy::Continue => OnFailure::Continue,
            Policy::FailFast => OnFailure::FailFast,
            Policy::Rollback => OnFailure::Rollback,
        }
    }
}

impl From<Order> for Scheduler {
    fn from(order: Order) -> Scheduler {
        match order {
            Order::CriticalPath => Scheduler::CriticalPath,
            Order::Fifo => Scheduler::Fifo,
            Order::LongestFirst => Scheduler::LongestFirst,
            Order::ShortestFirst => Scheduler::ShortestFirst,
        }
    }
}

impl From<CacheEviction> for Eviction {
    fn from(rule: CacheEviction) -> Eviction {
        match rule {
            CacheEviction::Lru => Eviction::LeastRecentlyUsed,
            CacheEviction::Lfu => Eviction::LeastFrequentlyUsed,
            CacheEviction::Fifo => Eviction::FirstInFirstOut,
        }
    }
}
