//! What is to be done: the one form into which native documents, nodes and edges, Conductor and Taskmaster documents
//! lower, and from which `engine` compiles its programs.
//!
//! A definition is data as the author meant it: templates and conditions are source text here; `engine` compiles them
//! through `expr`. Names of tasks are unique within their scope.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::callback::Callback;
use crate::fault::Place;
use crate::value::Payload;

/// Text in which `${…}` is replaced by values when the task starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Template(pub String);

impl<T: Into<String>> From<T> for Template {
    fn from(text: T) -> Template {
        Template(text.into())
    }
}

/// JSON in whose strings (not keys) `${…}` is replaced; a string that is one expression takes the value's type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateTree(pub Payload);

/// The source of an expression that yields a truth value or a value, without `${}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Expression(pub String);

/// Whose rules hold where dialects differ (scheduling order, skipped predecessors, retry in sub-runs).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Native documents and nodes and edges.
    #[default]
    Native,
    /// Conductor's definitions.
    Conductor,
}

/// A whole document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Definition {
    /// The document's name; its file's stem if it gives none.
    pub name: String,
    /// For people.
    pub description: String,
    /// Whose rules hold.
    pub dialect: Dialect,
    /// What a run may be given.
    pub inputs: Vec<InputSpec>,
    /// The run's output, by name.
    pub outputs: Vec<(String, Template)>,
    /// The run's output in one piece, instead of [`Definition::outputs`].
    pub output: Option<TemplateTree>,
    /// The tasks.
    pub root: Scope,
    /// What a failed task means for the run.
    pub on_failure: OnFailure,
    /// How many tasks of the run may be in flight at once.
    pub concurrency: Option<Concurrency>,
    /// The run fails when it has taken this long.
    pub timeout: Option<Duration>,
    /// Capacities; a name that ends in `*` gives the capacity of each name with that prefix.
    pub resources: Vec<ResourceSpec>,
    /// Circuit breakers, by name.
    pub breakers: Vec<BreakerSpec>,
    /// Names of secrets that tasks may ask for.
    pub secrets: Vec<String>,
    /// Environment of every command.
    pub env: Vec<(String, Template)>,
    /// An equal submission within the window joins the run that is there.
    pub deduplicate: Option<Deduplicate>,
    /// Sub-flows by the name that [`Flow::Frozen`] uses, frozen when the run starts.
    pub flows: BTreeMap<String, Arc<Definition>>,
    /// What the run's variables are before anything sets them: an object, or nothing.
    pub variables: TemplateTree,
    /// Describes the run that is started when this one has ended without success; see [`Flow::Wanted`].
    pub failure_flow: Option<TemplateTree>,
    /// What a run's output must be. What its input must be is looked at before it is submitted.
    pub output_schema: Option<Arc<str>>,
    /// How many of its runs live at once.
    pub run_limit: Option<RunLimit>,
    /// An equal earlier run's output serves, by Conductor's rules. Without a key, equal input.
    pub cache: Option<Cache>,
    /// A `for-each` or a matrix has no more branches; the engine's own bound holds if `None`.
    pub branches_max: Option<u32>,
    /// What tasks hold without saying so themselves.
    pub resource_rules: ResourceRules,
    /// Who is told over HTTP what becomes of its runs.
    pub callbacks: Vec<Callback>,
    /// There is something in its outputs that nobody is shown: they are not told.
    pub hides_output: bool,
    /// What the rules have found; it stands among the claims of the tasks, too.
    pub found: Vec<FoundClaim>,
}

/// Rules that find the resources of tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceRules {
    /// Those that ship hold, too.
    pub shipped: bool,
    /// The document's own.
    pub rules: Vec<ResourceRule>,
}

impl Default for ResourceRules {
    fn default() -> ResourceRules {
        ResourceRules { shipped: true, rules: Vec::new() }
    }
}

/// Tasks for which the condition holds have these claims.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceRule {
    /// For people.
    pub name: String,
    /// Over what is told of a task: `type`, `agent`, `context`, `name`, `description`.
    pub condition: Expression,
    /// What they hold.
    pub claims: Vec<Claim>,
    /// Where it is declared.
    pub place: Place,
}

/// A claim that a rule has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundClaim {
    /// Whose.
    pub task: Place,
    /// On what.
    pub resource: String,
    /// The name of the rule.
    pub rule: String,
}

/// How many runs of a definition live at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunLimit {
    /// Runs for which this comes to the same count together; it may name what a run is given.
    pub key: Template,
    /// So many.
    pub runs: u32,
    /// A run too many is refused, instead of waiting.
    pub refuse: bool,
}

/// One input of a document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InputSpec {
    /// Its name.
    pub name: String,
    /// Its type; anything if `None`.
    pub kind: Option<InputKind>,
    /// Its value if none is given; required if `None`.
    pub default: Option<Payload>,
    /// A regular expression that a string must match as a whole.
    pub pattern: Option<String>,
    /// The only values allowed, if not empty.
    pub one_of: Vec<Payload>,
    /// For people.
    pub description: String,
    /// Where it is declared.
    pub place: Place,
}

/// Types of inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// A string.
    String,
    /// Any number.
    Number,
    /// A number without fraction.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// An array.
    List,
    /// An object.
    Object,
}

/// What a task's failure means for the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnFailure {
    /// Everything that does not depend on it goes on; the run fails at the end.
    #[default]
    Continue,
    /// The run's other tasks are cancelled.
    FailFast,
    /// As `FailFast`, then the completed tasks are undone.
    Rollback,
}

/// How many at once. A plain number has `min == max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    /// The floor to which load may narrow it.
    pub min: u32,
    /// The ceiling.
    pub max: u32,
}

/// The capacity of a counted resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceSpec {
    /// Its name, or a prefix that ends in `*`.
    pub name: String,
    /// How many units there are.
    pub units: u32,
    /// Where it is declared.
    pub place: Place,
}

/// A circuit breaker for a named dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerSpec {
    /// Its name.
    pub name: String,
    /// So many failures in a row open it.
    pub failures_max: u32,
    /// So long it stays open.
    pub open_for: Duration,
    /// So many attempts may probe at once while it is half open.
    pub probes_max: u32,
    /// So many successes in a row close it.
    pub successes_min: u32,
}

impl BreakerSpec {
    /// A breaker with the default figures: 5 failures, 60 s, 3 probes, 2 successes.
    pub fn named(name: impl Into<String>) -> BreakerSpec {
        BreakerSpec {
            name: name.into(),
            failures_max: 5,
            open_for: Duration::from_secs(60),
            probes_max: 3,
            successes_min: 2,
        }
    }
}

/// When two submissions count as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deduplicate {
    /// Resolved over the inputs.
    pub key: Template,
    /// How long a submission is remembered.
    pub window: Duration,
}

/// A graph of tasks: the whole document, the body of a loop, or one branch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// The tasks, in document order.
    pub nodes: Vec<Node>,
    /// What must have ended before what.
    pub edges: Vec<Edge>,
}

/// `to` waits for `from`; both index [`Scope::nodes`].
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// The predecessor.
    pub from: u32,
    /// The successor.
    pub to: u32,
    /// On which end of the predecessor the edge is taken.
    pub guard: Guard,
    /// Where it is declared.
    pub place: Place,
}

/// On which end of its source an edge is taken. An edge not taken is dead, and a task that needs all of its
/// predecessors is skipped when one of its edges is dead.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Guard {
    /// It succeeded, or failed as an optional task.
    #[default]
    Success,
    /// It failed, timed out or was cancelled.
    Failure,
    /// It ended in whatever way, skipped included.
    Any,
    /// It succeeded or was skipped: the next step of a Conductor sequence.
    Continue,
    /// It is a switch that chose this case.
    Case(String),
    /// It is a switch that found no case.
    DefaultCase,
}

/// How many arrivals make a task ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// All edges have been taken.
    #[default]
    All,
    /// The first edge that is taken is enough.
    Any,
}

/// A task.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Unique within its scope.
    pub name: String,
    /// What it does.
    pub kind: Kind,
    /// What it is given, in sight of everybody: in runs of a server, where workers and scripts get this instead of what their
    /// kind says.
    pub input: Option<TemplateTree>,
    /// When it becomes ready.
    pub trigger: Trigger,
    /// Evaluated when it becomes ready.
    pub when: Option<When>,
    /// Its failure is no failure of the run, and its successors go on.
    pub optional: bool,
    /// Its successors go on after its failure, and the run fails when it ends.
    pub permissive: bool,
    /// Its weight against other ready tasks.
    pub priority: Priority,
    /// How long an attempt is expected to take, for the order of ready tasks.
    pub expected: Option<Duration>,
    /// Tried once if `None`.
    pub retry: Option<Box<Retry>>,
    /// What must not take longer.
    pub timeouts: Timeouts,
    /// What follows when it does take longer.
    pub on_timeout: OnTimeout,
    /// So long its first attempt is held back after it became ready.
    pub delay: Option<Duration>,
    /// What an attempt holds while it lives.
    pub claims: Vec<Claim>,
    /// Files it reads, as written (paths and globs).
    pub reads: Vec<Template>,
    /// Files it writes, as written.
    pub writes: Vec<Template>,
    /// Whether an equal earlier result serves.
    pub cache: Option<Cache>,
    /// It is executed each time, also if it declares what it reads and writes.
    pub is_always_executed: bool,
    /// Its compensation.
    pub undo: Option<Box<Undo>>,
    /// The breaker whose dependency it uses.
    pub breaker: Option<String>,
    /// After a crash of ours it fails instead of being run again.
    pub at_most_once: bool,
    /// Secrets given to it.
    pub secrets: Vec<String>,
    /// The agent whose task it is.
    pub agent: Option<Template>,
    /// What kind of work it is, for rules that find its resources.
    pub task_type: Option<String>,
    /// What is told about it, for the same.
    pub context: Option<TemplateTree>,
    /// What its input and output must be, in runs of a server.
    pub schemas: Option<Box<Schemas>>,
    /// The clients of a server are not shown it: it is no task of their definition.
    pub out_of_sight: bool,
    /// What searches among the tasks of a server call it.
    pub label: Option<Arc<Label>>,
    /// For people: one line.
    pub description: String,
    /// Where it is declared, as `tasks.report`.
    pub place: Place,
}

/// What searches among the tasks of a server call those of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label {
    /// Its type.
    pub task_type: String,
    /// The definition of its task.
    pub definition: String,
    /// Its failure is no failure of the run.
    pub optional: bool,
}

impl Node {
    /// A task of this name and kind, everything else as if the document were silent.
    pub fn new(name: impl Into<String>, kind: Kind) -> Node {
        let name = name.into();
        Node { kind, ..Node::at(&name, Place(format!("tasks.{name}"))) }
    }

    /// A task of this name that does nothing, declared at `place`.
    pub fn at(name: &str, place: Place) -> Node {
        Node {
            place,
            name: name.to_owned(),
            kind: Kind::Noop,
            input: None,
            trigger: Trigger::All,
            when: None,
            optional: false,
            permissive: false,
            priority: Priority::Normal,
            expected: None,
            retry: None,
            timeouts: Timeouts::default(),
            on_timeout: OnTimeout::default(),
            delay: None,
            claims: Vec::new(),
            reads: Vec::new(),
            writes: Vec::new(),
            cache: None,
            is_always_executed: false,
            undo: None,
            breaker: None,
            at_most_once: false,
            secrets: Vec::new(),
            agent: None,
            task_type: None,
            context: None,
            schemas: None,
            out_of_sight: false,
            label: None,
            description: String::new(),
        }
    }
}

/// What goes into a task and what comes out, as JSON Schemas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schemas {
    /// The task begins only with such an input.
    pub input: Option<Arc<str>>,
    /// The task succeeds only with such an output.
    pub output: Option<Arc<str>>,
}

/// What a task does.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A process on the machine of the run.
    Command(Command),
    /// An HTTP call.
    Http(Http),
    /// Work for a worker of this type, wherever it is (Conductor's SIMPLE).
    Remote(Remote),
    /// Waits for time, a person, or a file; holds no slot.
    Wait(Wait),
    /// Computes a value; runs inside the engine.
    Evaluate(Evaluate),
    /// Another run; ends with it.
    SubRun(SubRun),
    /// Starts a run of its own and does not wait for it: described like [`Flow::Wanted`]. The output is `{"workflowId": …}`.
    Start(TemplateTree),
    /// Its body once for each element of a list (`for-each`, `matrix`).
    Each(Box<Each>),
    /// Branches whose graphs are only known when it begins (dynamic fork, dynamic task).
    Expand(Box<Expand>),
    /// Its body again and again while a condition holds.
    Loop(Box<Loop>),
    /// Chooses which of its out-edges are taken.
    Switch(Switch),
    /// Gathers the outputs of its predecessors.
    Join(Join),
    /// Ends the whole run.
    Terminate(Terminate),
    /// Writes the run's variables.
    SetVariables(TemplateTree),
    /// Nothing: a point where edges meet or part.
    Noop,
}

impl Kind {
    /// The graph of a task that has parts, and is told by them.
    pub fn body(&self) -> Option<&Scope> {
        match self {
            Kind::Each(each) => Some(&each.body),
            Kind::Loop(repeat) => Some(&repeat.body),
            Kind::Command(_)
            | Kind::Http(_)
            | Kind::Remote(_)
            | Kind::Wait(_)
            | Kind::Evaluate(_)
            | Kind::SubRun(_)
            | Kind::Start(_)
            | Kind::Expand(_)
            | Kind::Switch(_)
            | Kind::Join(_)
            | Kind::Terminate(_)
            | Kind::SetVariables(_)
            | Kind::Noop => None,
        }
    }
}

/// A process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Command {
    /// What is executed.
    pub program: Program,
    /// Added to the environment of the document.
    pub env: Vec<(String, Template)>,
    /// Files of `NAME=value` lines, read when an attempt starts; `env` and later files win.
    pub env_files: Vec<Template>,
    /// Working directory, relative to the document's; the document's if `None`.
    pub dir: Option<Template>,
    /// Written to its standard input, which is empty otherwise.
    pub stdin: Option<Template>,
    /// Where its output is found.
    pub output: OutputMode,
    /// Only the declared environment is given, not that of the caller.
    pub clean_env: bool,
    /// It lives as long as others need it.
    pub service: Option<Box<Service>>,
}

/// A process that lives as long as others need it: those begin when it is up, and it ends after the last of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// How it is known to be up.
    pub ready: Ready,
    /// It fails if it is not up by then.
    pub within: Duration,
    /// It is asked this often.
    pub every: Duration,
    /// Between the request to end and the kill; what is usual if `None`.
    pub grace: Option<Duration>,
}

impl Default for Service {
    fn default() -> Service {
        Service {
            ready: Ready::Started,
            within: Duration::from_secs(60),
            every: Duration::from_millis(200),
            grace: None,
        }
    }
}

/// How a service is known to be up.
#[derive(Clone, Debug, PartialEq)]
pub enum Ready {
    /// It has been started.
    Started,
    /// A TCP port takes connections: a number on this machine, or `host:port`.
    Port(Template),
    /// A URL answers with a status of 200 to 299.
    Http(Template),
    /// It writes this text.
    Line(String),
    /// A command succeeds.
    Command(Program),
}

/// What a process executes.
#[derive(Clone, Debug, PartialEq)]
pub enum Program {
    /// A program and its arguments, without a shell.
    Direct(Vec<Template>),
    /// A script. Values never become part of its text: each stands in a variable of `vars`, which the script names in
    /// quotes that fit the place.
    Shell {
        /// The shell and its flags; the script is the last argument. `["sh", "-e", "-c"]` by default. Most scripts of a
        /// document share it.
        shell: Arc<[String]>,
        /// The text, with variables in place of `${…}`.
        script: String,
        /// The variables that `script` names.
        vars: Vec<(String, Template)>,
    },
}

impl Default for Program {
    fn default() -> Program {
        Program::Direct(Vec::new())
    }
}

/// Where the output of a process is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OutputMode {
    /// The file named by `$PARTITUR_OUTPUT`, else the last line of stdout if it is a JSON object, else nothing.
    #[default]
    Auto,
    /// All of stdout, without the last line feed, as a string.
    Text,
    /// The lines of stdout as a list of strings.
    Lines,
    /// All of stdout is one JSON value; anything else is a failure.
    Json,
    /// There is none.
    None,
}

/// An HTTP call. A status outside 200..=299 is a failure with code `http-<status>`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Http {
    /// `GET` if empty.
    pub method: String,
    /// Where to.
    pub url: Template,
    /// Header names and values.
    pub headers: Vec<(String, Template)>,
    /// Sent as JSON, or as text if it is a string.
    pub body: Option<TemplateTree>,
}

/// Work for a worker of a type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remote {
    /// The queue's name, domain apart.
    pub task_type: String,
    /// What the worker is given.
    pub input: TemplateTree,
    /// Fills keys that the input lacks, or in which it has `null`; an object.
    pub input_template: Option<TemplateTree>,
    /// The limits that hold for all tasks of this name together, in whatever run.
    pub limits: RemoteLimits,
    /// Executed by the process of the engine itself, without a worker that polls.
    pub pushed: bool,
    /// An end that is reported in one step with [`crate::dispatch::ReportKind::Ended`] is none: the task goes on until somebody
    /// updates it from outside.
    pub async_complete: bool,
}

/// Limits over all tasks of a name, in whatever run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteLimits {
    /// The name under which they count.
    pub name: String,
    /// So many attempts at once.
    pub concurrency: Option<u32>,
    /// So many starts within a span of time.
    pub rate: Option<(u32, Duration)>,
}

/// What follows when an attempt takes too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnTimeout {
    /// It has failed with code `timeout`: another one may follow.
    #[default]
    Retry,
    /// The run has timed out.
    EndRun,
    /// Observers are told, and the attempt goes on.
    Tell,
}

/// A wait.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// What for.
    pub what: WaitFor,
    /// It fails with code `timeout` after this long.
    pub at_most: Option<Duration>,
}

/// What ends a wait.
#[derive(Clone, Debug, PartialEq)]
pub enum WaitFor {
    /// So long, in the text form of durations (`90s`, `2h`).
    Duration(Template),
    /// A point in time, RFC 3339.
    Until(Template),
    /// A signal from outside.
    Signal,
    /// A signal from a person.
    Approval,
    /// A file that exists.
    File(Template),
}

/// A value computed by the engine itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Evaluate {
    /// An expression: the output is `{"result": …}`.
    Expression(Expression),
    /// A tree: the output is the tree with its values filled in.
    Tree(TemplateTree),
    /// Rules: the output is what the rules that fired have set, and `fired`, their names.
    Rules(RuleSet),
    /// Source in another language, evaluated outside the engine: the output is `{"result": …}`.
    Script {
        /// `javascript`, `jq`.
        language: String,
        /// Its text.
        source: String,
        /// What it sees as `$`.
        input: TemplateTree,
    },
}

/// Rules, in the order in which they are tried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleSet {
    /// Only the first rule that fires counts; otherwise all that fire do, later ones overwriting earlier ones.
    pub first_only: bool,
    /// The rules.
    pub rules: Vec<Rule>,
}

/// If the condition holds, the values are set, or the task fails with the message.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Its name in `fired`.
    pub name: String,
    /// When it fires.
    pub condition: Expression,
    /// What it sets: an object.
    pub set: TemplateTree,
    /// The task fails with this message instead.
    pub fail: Option<Template>,
}

/// Another run as a task.
#[derive(Clone, Debug, PartialEq)]
pub struct SubRun {
    /// What it executes.
    pub flow: Flow,
    /// Its inputs: an object.
    pub input: TemplateTree,
}

/// What a sub-run executes.
#[derive(Clone, Debug, PartialEq)]
pub enum Flow {
    /// One of [`Definition::flows`].
    Frozen(String),
    /// Looked up outside the engine when the task starts, by this description.
    Wanted(TemplateTree),
}

impl Flow {
    /// The name of a flow that is frozen with its document.
    pub fn frozen(&self) -> Option<&str> {
        match self {
            Flow::Frozen(name) => Some(name),
            Flow::Wanted(_) => None,
        }
    }
}

/// Branches whose graphs follow from a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Expand {
    /// From what they follow.
    pub input: TemplateTree,
    /// Makes them.
    pub expander: Expander,
    /// The task stands for its only branch, which has one task of the same name.
    pub stands_for_branch: bool,
}

/// Makes the branches of an [`Expand`]: a pure function, asked again after each start of the node.
#[derive(Clone)]
pub struct Expander(pub Arc<dyn MakeBranches>);

/// See [`Expander`].
pub trait MakeBranches: Send + Sync {
    /// The branches, or why there are none. `input` is [`Expand::input`] with its values filled in.
    ///
    /// # Errors
    /// For people: the task fails with it, terminally.
    fn branches(&self, input: &Payload) -> Result<Vec<Branch>, crate::record::TaskError>;

    /// For people and comparisons: what is expanded how.
    fn describe(&self) -> String;
}

/// One branch of an [`Expand`].
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// The name of the task whose output stands for the branch's in a join.
    pub last: String,
    /// Its graph.
    pub scope: Scope,
}

impl std::fmt::Debug for Expander {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.describe())
    }
}

impl PartialEq for Expander {
    fn eq(&self, other: &Expander) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.describe() == other.0.describe()
    }
}

/// A body for each element of a list. The output is the list of the branches' outputs, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Each {
    /// The elements.
    pub items: Items,
    /// The identity of a branch, over `each.value` and `each.index`; its index if `None`.
    pub key: Option<Template>,
    /// So many branches at once.
    pub max_parallel: Option<u32>,
    /// So many elements to a branch, which sees them as the list `each.value`.
    pub batch: Option<u32>,
    /// The graph of a branch. With one node of the container's own name, the branches are shown as `name[key]`.
    pub body: Scope,
    /// A branch that fails cancels the others.
    pub fail_fast: bool,
}

/// Where the elements of an [`Each`] come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Items {
    /// A list with values filled in, or one expression that yields a list.
    List(TemplateTree),
    /// All combinations of the axes, the last axis fastest; a branch sees an object as `each.value` and `matrix`.
    Matrix(Vec<(String, TemplateTree)>),
}

/// A body again and again. The output is an object of the iterations' outputs by number, and `iteration`.
#[derive(Clone, Debug, PartialEq)]
pub struct Loop {
    /// The graph of one iteration.
    pub body: Scope,
    /// Evaluated after each iteration over the latest outputs of the body; another follows while it holds.
    pub condition: Option<Evaluate>,
    /// One iteration for each element, if given; with a condition, both must hold.
    pub items: Option<TemplateTree>,
    /// Outputs and rows of older iterations are removed.
    pub keep_last: Option<u32>,
    /// No more iterations than this, else the loop fails.
    pub iterations_max: u32,
}

/// Chooses edges by case.
#[derive(Clone, Debug, PartialEq)]
pub struct Switch {
    /// Its value as text is the case.
    pub value: Evaluate,
    /// The cases that have edges; any other value takes the default.
    pub cases: Vec<String>,
}

/// How a join judges its predecessors. Its edges carry [`Guard::Any`]; its output is an object of their outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Join {
    /// Waits for all before it fails; otherwise the first failure fails it.
    pub permissive: bool,
    /// The node of the same scope at whose beginning the join begins to wait, in sight of everybody. It is a predecessor
    /// whose output is none of the join's own; if it is an [`Expand`], its branches are what is joined.
    pub opened_by: Option<u32>,
    /// The first predecessor in order that was executed is enough, and its output is the join's.
    pub exclusive: bool,
}

/// Ends the run.
#[derive(Clone, Debug, PartialEq)]
pub struct Terminate {
    /// As what.
    pub outcome: crate::record::RunOutcome,
    /// The run's output.
    pub output: TemplateTree,
    /// Why, for people.
    pub reason: Template,
}

/// A condition on a task.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    /// The task is executed if it holds.
    pub condition: Expression,
    /// What happens if not.
    pub otherwise: Otherwise,
}

/// What a task does whose condition does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Otherwise {
    /// It is skipped.
    #[default]
    Skip,
    /// It fails with code `condition`.
    Fail,
    /// It is skipped and observers are told.
    Notify,
}

/// Weights against other ready tasks: 1000, 100, 10, 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// 1000.
    Critical,
    /// 100.
    High,
    /// 10.
    #[default]
    Normal,
    /// 1.
    Low,
}

impl Priority {
    /// All classes, heaviest first.
    pub const ALL: [Priority; 4] = [Priority::Critical, Priority::High, Priority::Normal, Priority::Low];

    /// The share of turns that the class gets while others wait too.
    pub const fn weight(self) -> u64 {
        match self {
            Priority::Critical => 1000,
            Priority::High => 100,
            Priority::Normal => 10,
            Priority::Low => 1,
        }
    }
}

/// When and how often a failed attempt is followed by another.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Counts the first attempt.
    pub attempts: u32,
    /// The pause after the first failure.
    pub base: Duration,
    /// How the pause grows.
    pub backoff: Backoff,
    /// No pause is longer.
    pub max: Duration,
    /// Each pause is drawn from half to the whole of its length.
    pub jitter: bool,
    /// Added to each pause, after `max`: drawn from nothing to this.
    pub spread: Duration,
    /// Only failures with one of these codes are retried; all that may be, if empty. A code ends in `*` to match a
    /// prefix.
    pub errors: Vec<String>,
    /// Only retried while this holds over `self.output` and `self.error`.
    pub condition: Option<Expression>,
    /// Evaluated over a success: while it holds, the attempt counts as failed with code `condition`.
    pub until: Option<Expression>,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry {
            attempts: 5,
            base: Duration::from_secs(1),
            backoff: Backoff::Exponential { factor: 2.0 },
            max: Duration::from_secs(16),
            jitter: true,
            spread: Duration::ZERO,
            errors: Vec::new(),
            condition: None,
            until: None,
        }
    }
}

/// How pauses grow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Backoff {
    /// All alike.
    Fixed,
    /// Base times the number of failures.
    Linear,
    /// Base times `factor` to the number of failures before.
    Exponential {
        /// At least 1.
        factor: f64,
    },
}

/// What must not take longer; each is off if `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// From the start of an attempt to its end.
    pub attempt: Option<Duration>,
    /// Between two signs of life of an attempt.
    pub heartbeat: Option<Duration>,
    /// From ready to started.
    pub queue: Option<Duration>,
    /// From the start of the first attempt to the end of the last, pauses included.
    pub total: Option<Duration>,
}

/// What an attempt holds while it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// `file:path`, `dir:path`, `service:name`, or the name of a counted resource.
    pub resource: Template,
    /// Alone or together with others.
    pub mode: ClaimMode,
    /// How many units of a counted resource; 1 for all others.
    pub units: u32,
    /// The lease: the claim ends if the holder shows no sign of life for so long.
    pub expires: Option<Duration>,
    /// Where it is declared.
    pub place: Place,
}

/// Alone or together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimMode {
    /// Nobody else.
    #[default]
    Exclusive,
    /// Others that claim it shared may hold it too.
    Shared,
}

/// An equal earlier result serves: equal command, environment, declared reads and results of the predecessors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// How long a result serves. One hour by default.
    pub ttl: Duration,
    /// Makes the key instead of the command, reads and predecessors.
    pub key: Option<Template>,
}

impl Default for Cache {
    fn default() -> Cache {
        Cache { ttl: Duration::from_secs(3600), key: None }
    }
}

/// A compensation: what undoes a task. It takes the task's claims, sees its output as `self.output`, and may run
/// twice after a crash.
#[derive(Clone, Debug, PartialEq)]
pub struct Undo {
    /// A command or an HTTP call.
    pub kind: Kind,
    /// Tried once if `None`.
    pub retry: Option<Box<Retry>>,
    /// Per attempt.
    pub timeout: Option<Duration>,
}
