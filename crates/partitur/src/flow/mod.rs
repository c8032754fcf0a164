//! Graphs of async closures, run in this process.
//!
//! A [`Flow`] is built task by task, then run: [`Flow::run`] inside async code, [`Flow::block_on`] elsewhere,
//! [`Flow::start`] for a [`Handle`] to look at it meanwhile. No store and no runtime is needed, and a runtime around
//! it does no harm; see [`Options::within`] for tasks that use timers and sockets of one.
//!
//! ```
//! use partitur::flow::Flow;
//!
//! let mut flow = Flow::new();
//! let orders = flow.task("orders", |_| async { Ok(vec![120, 80]) }).handle();
//! let rate = flow.task("rate", |_| async { Ok("0.5".parse::<f64>()?) }).handle();
//! let report = flow
//!     .task("report", move |ctx| async move {
//!         let sum: i32 = ctx.output_of(&orders)?.iter().sum();
//!         Ok(f64::from(sum) * ctx.output_of(&rate)?)
//!     })
//!     .after((orders, rate))
//!     .handle();
//!
//! let outcome = flow.block_on()?;
//! assert_eq!(outcome.output(report), Some(100.0));
//! # Ok::<(), partitur::flow::FlowError>(())
//! ```
//!
//! A task that fails, panics or takes too long touches only what comes after it; everything else goes on, and what
//! was reached is in the [`Outcome`]:
//!
//! ```
//! use partitur::flow::{Failure, Flow};
//!
//! let mut flow = Flow::new();
//! let good = flow.task("good", |_| async { Ok(1) }).handle();
//! let bad = flow.task("bad", |_| async { Err::<u32, _>(Failure::new("disk-full", "no space left")) }).handle();
//! let dependent = flow.task("dependent", |_| async { Ok(2) }).after((good, bad)).handle();
//!
//! let outcome = flow.block_on()?;
//! assert_eq!(outcome.output(good), Some(1));
//! assert_eq!(outcome.result(bad).error_message(), "no space left");
//! assert_eq!(outcome.output(dependent), None);
//! # Ok::<(), partitur::flow::FlowError>(())
//! ```
//!
//! # In which order
//! A task starts as soon as the last task it waits for has ended. As soon as one task of a flow says something about
//! itself (an agent, a priority, a timeout, …), ready tasks start in exact order: by priority class in shares of
//! 1000/100/10/1, then the one with the longest way to the end, then the oldest. A flow whose tasks say nothing is
//! run for throughput: idle threads steal from busy ones, in no particular order.
//!
//! Tasks with [`Draft::locks`] start when they get all of their locks at once. Who may start is decided by the same
//! admission that serves the runs of documents; while wide claims wait too long, what they need is kept free.

mod batch;
mod body;
mod context;
mod draft;
mod failure;
mod handle;
mod locks;
mod options;
mod outcome;
mod plan;
mod retry;
mod run;
mod status;
mod task;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use partitur_graph::Csr;

use self::body::{BoxedBody, Stage};
use self::plan::{Names, Plan, Special, Specials};
use self::run::gate::Gate;
use self::run::word::MISSING_MAX;
use self::run::{Listener, Run};

pub use self::context::TaskContext;
pub use self::draft::Draft;
pub use self::failure::{CODE_CANCELLED, CODE_FAILED, CODE_PANIC, CODE_TIMEOUT, Failure};
pub use self::handle::Handle;
pub use self::locks::{Lock, ResourceLock};
pub use self::options::{OnFailure, Options, Within};
pub use self::outcome::{Outcome, TaskResult};
pub use self::status::{Figures, Instance, Metrics, Progress, Status};
pub use self::task::{Predecessors, Task, TaskId};

pub use partitur_model::definition::{Backoff, Priority, Retry};
pub use partitur_model::record::{TaskError, TaskOutcome};

/// A graph of tasks that has not started.
pub struct Flow {
    /// Its number among the flows of this process.
    id: u32,
    names: Names,
    bodies: Vec<BoxedBody>,
    edges: Vec<(u32, u32)>,
    specials: Specials,
    /// Units of counted resources.
    capacities: Vec<(String, u32)>,
    /// Whether an edge leads from a newer task to an older one: without such edges there is no cycle.
    leads_back: bool,
    listeners: Vec<Listener>,
    faults: Vec<FlowFault>,
}

/// The flow cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// It is not a flow; here is everything that is wrong with it. No task has started.
    #[error("the flow cannot run: {}", list(.0))]
    Invalid(Vec<FlowFault>),
    /// The system gives no thread.
    #[error("no thread could be started: {0}")]
    Threads(#[from] std::io::Error),
}

/// One thing that is wrong with a flow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlowFault {
    /// Tasks that wait for each other.
    #[error("tasks wait for each other: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// A handle that another flow gave out.
    #[error("task `{0}` waits for a task of another flow")]
    ForeignTask(String),
    /// Expressions are for documents: a closure decides itself.
    #[error("the retry of task `{0}` has a condition: return a terminal failure instead")]
    RetryCondition(String),
    /// More of a resource than there is.
    #[error("task `{0}` can never start: {1}")]
    Impossible(String, String),
    /// More than fit the counter.
    #[error("task `{0}` waits for more than {MISSING_MAX} tasks")]
    TooManyPredecessors(String),
}

fn list(faults: &[FlowFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Default for Flow {
    fn default() -> Flow {
        Flow::new()
    }
}

impl Flow {
    /// A flow without tasks.
    pub fn new() -> Flow {
        static FLOWS: AtomicU32 = AtomicU32::new(0);
        Flow {
            id: FLOWS.fetch_add(1, Ordering::Relaxed),
            names: Names::default(),
            bodies: Vec::new(),
            edges: Vec::new(),
            specials: Specials::default(),
            capacities: Vec::new(),
            leads_back: false,
            listeners: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Adds a task. Names are for people: they may be empty, and need not differ.
    ///
    /// The closure is called when the task starts; its future is polled on the threads of the flow. What the draft
    /// is told goes with the task; ask it for the [`handle`](Draft::handle) if other tasks wait for this one.
    pub fn task<F, Fut, T>(&mut self, name: &str, make: F) -> Draft<'_, F, Fut, T>
    where
        F: FnOnce(TaskContext) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, Failure>> + Send + 'static,
        T: Send + 'static,
    {
        let task = self.reserve(name);
        Draft::new(self, task, make)
    }

    /// Adds a task that is a future already: the cheapest kind, and the one that can be made before the flow is.
    ///
    /// ```
    /// use partitur::flow::Flow;
    /// let mut flow = Flow::new();
    /// let a = flow.future("a", async { Ok(20) }, ());
    /// let b = flow.future("b", async { Ok(22) }, a);
    /// assert_eq!(flow.block_on().unwrap().output(b), Some(22));
    /// ```
    pub fn future<Fut, T>(&mut self, name: &str, future: Fut, after: impl Predecessors) -> Task<T>
    where
        Fut: Future<Output = Result<T, Failure>> + Send + 'static,
        T: Send + 'static,
    {
        let task = self.reserve(name);
        self.bodies.push(Box::pin(Stage::live(future)));
        self.order(after, task);
        Task::new(task)
    }

    /// `then` waits for `first`. The way to order tasks that exist already; for new ones there is
    /// [`Draft::after`].
    pub fn order(&mut self, first: impl Predecessors, then: impl Into<TaskId>) {
        let then = then.into();
        first.for_each(&mut |first| self.add_edge(first, then));
    }

    fn add_edge(&mut self, first: TaskId, then: TaskId) {
        if first.flow != self.id || then.flow != self.id {
            let ours = if then.flow == self.id { then } else { first };
            let name =
                if ours.flow == self.id { self.names.get(ours.node).to_owned() } else { format!("{ours:?}") };
            self.faults.push(FlowFault::ForeignTask(name));
            return;
        }
        self.leads_back |= first.node >= then.node;
        self.edges.push((first.node, then.node));
    }

    /// Calls `listener` with each progress that a task reports, on the thread of that task. A listener that panics
    /// fails the task that reports.
    pub fn on_progress(&mut self, listener: impl Fn(&Progress<'_>) + Send + Sync + 'static) {
        self.listeners.push(Arc::new(listener));
    }

    /// Declares how many units there are of a resource, or, if the name ends in `*`, of each resource with that
    /// prefix. Undeclared ones have one.
    pub fn capacity(&mut self, resource: impl Into<String>, units: u32) {
        self.capacities.push((resource.into(), units));
    }

    /// How many tasks there are.
    pub fn len(&self) -> usize {
        self.names.len() as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Runs to the end. If this future is dropped before, what has not ended is cancelled.
    ///
    /// # Errors
    /// If the flow is none, or the system gives no thread. Failures of tasks are part of the outcome.
    pub async fn run(self) -> Result<Outcome, FlowError> {
        self.run_with(Options::default()).await
    }

    /// Runs to the end in this way; see [`Flow::run`].
    ///
    /// # Errors
    /// As [`Flow::run`].
    pub async fn run_with(self, options: Options) -> Result<Outcome, FlowError> {
        Ok(self.start(options)?.outcome().await)
    }

    /// Runs to the end and blocks this thread until then.
    ///
    /// # Errors
    /// As [`Flow::run`].
    pub fn block_on(self) -> Result<Outcome, FlowError> {
        self.block_on_with(Options::default())
    }

    /// Runs to the end in this way and blocks this thread until then.
    ///
    /// # Errors
    /// As [`Flow::run`].
    pub fn block_on_with(self, options: Options) -> Result<Outcome, FlowError> {
        Ok(self.start(options)?.join())
    }

    /// Starts on threads of its own and returns at once.
    ///
    /// # Errors
    /// As [`Flow::run`].
    pub fn start(self, options: Options) -> Result<Handle, FlowError> {
        self.launch(options, false)
    }

    /// Makes everything ready and starts no task until [`Handle::resume`].
    ///
    /// # Errors
    /// As [`Flow::run`].
    pub fn start_paused(self, options: Options) -> Result<Handle, FlowError> {
        self.launch(options, true)
    }

    fn launch(self, options: Options, paused: bool) -> Result<Handle, FlowError> {
        let Flow { id, names, bodies, edges, specials, capacities, leads_back, listeners, mut faults } = self;
        let graph = Csr::build(names.len(), &edges);
        drop(edges);
        check(&graph, &names, &specials, leads_back, &mut faults);
        let gate = specials.are_exact().then(|| gate(&names, &specials, &capacities, &mut faults));
        if !faults.is_empty() {
            return Err(FlowError::Invalid(faults));
        }
        let plan = Plan::new(id, graph, names, specials);
        Ok(Handle::new(Run::start(plan, gate, bodies, listeners, options, paused)?))
    }

    /// The id of a task whose body comes next.
    fn reserve(&mut self, name: &str) -> TaskId {
        let node = self.names.len();
        self.names.push(name);
        TaskId { flow: self.id, node }
    }

    fn special(&mut self, task: TaskId) -> &mut Special {
        self.specials.of_last(task.node)
    }
}

/// Finds everything that keeps the flow from running.
fn check(graph: &Csr, names: &Names, specials: &Specials, leads_back: bool, faults: &mut Vec<FlowFault>) {
    let name = |node: u32| names.get(node).to_owned();
    if leads_back {
        let found = partitur_graph::cycles(graph);
        let alone = found.self_loops.into_iter().map(|node| vec![node]);
        for nodes in alone.chain(found.cycles) {
            let round = nodes.iter().chain(nodes.first());
            faults.push(FlowFault::Cycle(round.map(|&node| name(node)).collect()));
        }
    }
    if graph.edges() > MISSING_MAX {
        let crowded = graph.in_degrees().into_iter().zip(0..).filter(|(missing, _)| *missing > MISSING_MAX);
        faults.extend(crowded.map(|(_, node)| FlowFault::TooManyPredecessors(name(node))));
    }
    for (node, special) in specials.iter() {
        if special.retry.as_ref().is_some_and(|retry| retry.condition.is_some() || retry.until.is_some()) {
            faults.push(FlowFault::RetryCondition(name(node)));
        }
    }
}

/// The admission of a flow, with the locks of all its tasks.
fn gate(
    names: &Names,
    specials: &Specials,
    capacities: &[(String, u32)],
    faults: &mut Vec<FlowFault>,
) -> Gate {
    let mut gate = Gate::new(capacities);
    for (node, special) in specials.iter().filter(|(_, special)| !special.locks.is_empty()) {
        if let Err(why) = gate.declare(node, &special.locks) {
            faults.push(FlowFault::Impossible(names.get(node).to_owned(), why));
        }
    }
    gate
}

impl std::fmt::Debug for Flow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flow").field("tasks", &self.len()).field("edges", &self.edges.len()).finish()
    }
}
