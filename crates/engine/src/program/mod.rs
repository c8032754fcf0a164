//! A definition, compiled once and shared by all of its runs: graphs as arrays, templates and conditions parsed.
//!
//! Nothing in a program changes while runs are alive, and rows never name its indices: a newer binary may compile the
//! same definition into other ones.

mod compile;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use partitur_expr::{Expression, Rules, Script, Template, Tree};
use partitur_graph::Csr;
use partitur_model::definition::{Cache, ClaimMode, Definition, Guard, Join, Node, Retry};
use partitur_model::record::RunOutcome;

use crate::room::Room;
pub use compile::compile;
pub(crate) use compile::{EXPECTED_DEFAULT, compile_branch, levels};

/// A compiled definition.
#[derive(Debug)]
pub struct Program {
    /// What it was compiled from.
    pub definition: Arc<Definition>,
    /// The graphs: the root first, then the bodies of containers.
    pub(crate) bodies: Vec<Arc<Body>>,
    pub(crate) outputs: Vec<(Arc<str>, Template)>,
    /// Instead of `outputs`, the whole output.
    pub(crate) output: Option<Tree>,
    pub(crate) env: Vec<(String, Template)>,
    pub(crate) dedup_key: Option<Template>,
    /// Sub-flows by name. All flows of a document are known in its root program.
    pub(crate) flows: BTreeMap<String, Arc<Program>>,
    pub(crate) variables: Option<Tree>,
    pub(crate) failure_flow: Option<Tree>,
    /// How many runs live at once.
    pub(crate) room: Option<Room>,
    /// When the result of an equal run serves.
    pub(crate) cache: Option<(Cache, Option<Template>)>,
}

/// Which of a program's graphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BodyIx(pub u32);

impl BodyIx {
    pub(crate) const ROOT: BodyIx = BodyIx(0);
}

/// A graph of tasks.
#[derive(Debug)]
pub(crate) struct Body {
    pub nodes: Vec<ProgramNode>,
    pub names: BTreeMap<Box<str>, u32>,
    /// Out-edges; the edge ids index `guards`.
    pub successors: Csr,
    /// In-edges; the edge ids index `guards`.
    pub predecessors: Csr,
    pub guards: Vec<Guard>,
    /// Longest remaining path in seconds, the node itself included.
    pub levels: Vec<f32>,
    /// The nodes that are services.
    pub services: Vec<u32>,
}

/// A task, compiled.
#[derive(Debug)]
pub(crate) struct ProgramNode {
    /// As declared; bodies are emptied, they are compiled apart.
    pub spec: Node,
    pub name: Arc<str>,
    /// What it is given, in sight of everybody.
    pub input: Option<Tree>,
    pub action: Action,
    pub when: Option<Expression>,
    pub claims: Vec<ClaimTemplate>,
    pub reads: Vec<Template>,
    pub writes: Vec<Template>,
    pub cache_key: Option<Template>,
    pub agent: Option<Template>,
    // Few tasks have these, and a program has a node for every task.
    pub retry: Option<Box<RetryRule>>,
    pub undo: Option<Box<UndoAction>>,
}

/// What a task does, compiled.
#[derive(Debug)]
pub(crate) enum Action {
    Attempt(WorkTemplate),
    Wait(WaitTemplate),
    Evaluate(Computation),
    SubRun { flow: FlowAction, input: Tree },
    Start(Tree),
    Each(EachAction),
    Expand(ExpandAction),
    Loop(LoopAction),
    Switch { value: Computation, cases: Vec<String> },
    Join(Join),
    Terminate { outcome: RunOutcome, output: Tree, reason: Template },
    SetVariables(Tree),
    Noop,
}

/// What an attempt will do, before its values are filled in.
#[derive(Debug)]
pub(crate) enum WorkTemplate {
    Direct { argv: Vec<Template>, command: CommandTemplate },
    Shell { shell: Arc<[String]>, script: String, vars: Vec<(String, Template)>, command: CommandTemplate },
    Http { method: String, url: Template, headers: Vec<(String, Template)>, body: Option<Tree> },
    Remote(RemoteTemplate),
    AwaitFile { path: Template },
}

/// The common part of commands.
#[derive(Debug)]
pub(crate) struct CommandTemplate {
    pub env: Vec<(String, Template)>,
    pub env_files: Vec<Template>,
    pub dir: Option<Template>,
    pub stdin: Option<Template>,
    pub output: partitur_model::definition::OutputMode,
    pub clean_env: bool,
    pub service: Option<Box<ServiceTemplate>>,
}

/// A process that lives as long as others need it.
#[derive(Debug)]
pub(crate) struct ServiceTemplate {
    pub ready: ReadyTemplate,
    pub within: Duration,
    pub every: Duration,
    pub grace: Option<Duration>,
}

/// How a service is known to be up, before its values are filled in.
#[derive(Debug)]
pub(crate) enum ReadyTemplate {
    Started,
    Port(Template),
    Http(Template),
    Line(String),
    Direct(Vec<Template>),
    Shell { argv: Vec<String>, vars: Vec<(String, Template)> },
}

/// Work for a worker of a type.
#[derive(Debug)]
pub(crate) struct RemoteTemplate {
    pub task_type: Arc<str>,
    pub input: Tree,
    pub input_template: Option<Tree>,
    pub limits: partitur_model::definition::RemoteLimits,
    pub pushed: bool,
    pub async_complete: bool,
}

/// What a sub-run executes.
#[derive(Debug)]
pub(crate) enum FlowAction {
    Frozen(String),
    Wanted(Tree),
}

/// Branches that are made when the task begins.
#[derive(Debug)]
pub(crate) struct ExpandAction {
    pub input: Tree,
    pub expander: partitur_model::definition::Expander,
    pub stands_for_branch: bool,
}

/// What ends a wait inside the engine.
#[derive(Debug)]
pub(crate) enum WaitTemplate {
    Duration(Template),
    Until(Template),
    Signal,
    Approval,
}

/// How a value is computed.
#[derive(Debug)]
pub(crate) enum Computation {
    Expression(Expression),
    Tree(Tree),
    Rules(Rules),
    Script {
        language: String,
        source: Source,
        input: Tree,
        /// The same, if it needs no evaluator outside.
        quick: Option<Script>,
    },
}

/// The text of a script.
#[derive(Debug)]
pub(crate) enum Source {
    Fixed(String),
    /// By Conductor's rules values become part of the text of a task's own script.
    Filled(Template),
}

impl Source {
    pub(crate) fn text(&self, view: &dyn partitur_expr::Lookup) -> String {
        match self {
            Source::Fixed(text) => text.clone(),
            Source::Filled(template) => template.resolve_text(view),
        }
    }
}

/// `for-each` and `matrix`.
#[derive(Debug)]
pub(crate) struct EachAction {
    pub items: ItemsTemplate,
    pub key: Option<Template>,
    pub max_parallel: Option<u32>,
    pub batch: Option<u32>,
    pub body: BodyIx,
    pub fail_fast: bool,
}

/// Where the elements come from.
#[derive(Debug)]
pub(crate) enum ItemsTemplate {
    List(Tree),
    Matrix(Vec<(Arc<str>, Tree)>),
}

/// A loop.
#[derive(Debug)]
pub(crate) struct LoopAction {
    pub body: BodyIx,
    pub condition: Option<Computation>,
    pub items: Option<Tree>,
    pub keep_last: Option<u32>,
    pub iterations_max: u32,
}

/// A claim, before its name is filled in.
#[derive(Debug)]
pub(crate) struct ClaimTemplate {
    pub resource: Template,
    pub mode: ClaimMode,
    pub units: u32,
    pub expires: Option<Duration>,
}

/// A retry with its conditions compiled.
#[derive(Debug)]
pub(crate) struct RetryRule {
    pub policy: Retry,
    pub condition: Option<Expression>,
    pub until: Option<Expression>,
}

/// A compensation, compiled.
#[derive(Debug)]
pub(crate) struct UndoAction {
    pub work: WorkTemplate,
    pub retry: Option<RetryRule>,
    pub timeout: Option<Duration>,
}

impl Program {
    pub(crate) fn body(&self, body: BodyIx) -> &Arc<Body> {
        &self.bodies[body.0 as usize]
    }

    /// The program of a run's flow: this one for the document itself, else the sub-flow of that name. A flow that its
    /// own document does not know is looked for in the outermost one.
    pub(crate) fn flow(self: &Arc<Self>, flow: &str) -> Option<Arc<Program>> {
        let mut program = self.clone();
        for name in crate::family::flow_names(flow) {
            program = program.flows.get(name).or_else(|| self.flows.get(name))?.clone();
        }
        Some(program)
    }
}

impl ProgramNode {
    /// The body of a container.
    pub(crate) fn body(&self) -> Option<BodyIx> {
        match &self.action {
            Action::Each(each) => Some(each.body),
            Action::Loop(repeat) => Some(repeat.body),
            Action::Attempt(_)
            | Action::Wait(_)
            | Action::Evaluate(_)
            | Action::SubRun { .. }
            | Action::Start(_)
            | Action::Expand(_)
            | Action::Switch { .. }
            | Action::Join(_)
            | Action::Terminate { .. }
            | Action::SetVariables(_)
            | Action::Noop => None,
        }
    }

    /// What the task is as a service, if it is one.
    pub(crate) fn service(&self) -> Option<&ServiceTemplate> {
        match &self.action {
            Action::Attempt(WorkTemplate::Direct { command, .. } | WorkTemplate::Shell { command, .. }) => {
                command.service.as_deref()
            }
            Action::Attempt(
                WorkTemplate::Http { .. } | WorkTemplate::Remote(_) | WorkTemplate::AwaitFile { .. },
            )
            | Action::Each(_)
            | Action::Loop(_)
            | Action::Wait(_)
            | Action::Evaluate(_)
            | Action::SubRun { .. }
            | Action::Start(_)
            | Action::Expand(_)
            | Action::Switch { .. }
            | Action::Join(_)
            | Action::Terminate { .. }
            | Action::SetVariables(_)
            | Action::Noop => None,
        }
    }

    /// Whether the task leaves no process behind and takes no slot: it only waits for something outside.
    pub(crate) fn is_watch(&self) -> bool {
        matches!(&self.action, Action::Attempt(WorkTemplate::AwaitFile { .. }))
    }
}
