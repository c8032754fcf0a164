//! A task's predecessors have all been heard: it is skipped, or it begins.

use partitur_expr::{Lookup, Step, Template, Tree, navigate};
use partitur_model::callback::Moment;
use partitur_model::definition::{OnFailure, Otherwise};
use partitur_model::event::EventKind;
use partitur_model::record::{Checking, RunOutcome, RunState, TaskError, TaskOutcome, TaskRecord, TaskState};
use partitur_model::{Payload, TaskId, TaskSeq, Timestamp, unit};

use crate::cx::{Cx, Todo};
use crate::effect::{Effect, Purpose};
use crate::program::{Action, Computation, FlowAction, ProgramNode, WaitTemplate};
use crate::run::{Key, Run, Verdict, View};

/// A condition did not hold or could not be evaluated.
pub(crate) const CONDITION: &str = "condition";
/// The task's predecessors ended such that it is not executed.
const SKIPPED: &str = "skipped";
/// Somebody cancelled it.
pub(crate) const CANCELLED: &str = "cancelled";

impl Run {
    /// Looks whether a task may begin, and begins it.
    pub(crate) fn consider(&mut self, cx: &mut Cx<'_>, key: Key) {
        if !self.is_there(key) || self.waits_for_room {
            return;
        }
        if self.is_about_to_terminate(key) {
            return self.terminate_at_last(cx, key);
        }
        if self.is_running() && self.awaits_services(key) {
            self.wake_services(cx, key);
        }
        let verdict = self.verdict(key);
        if self.is_not_reached(key, verdict) {
            return self.note_not_reached(cx, key);
        }
        if !self.is_running() {
            return;
        }
        match verdict {
            Verdict::Wait => {}
            Verdict::Open => self.open_join(cx, key),
            Verdict::Skip | Verdict::Begin if self.closing(key.scope).is_some() => {
                let record = self.record(key);
                self.cancelled(cx, key, record);
            }
            Verdict::Skip => self.skip(cx, key),
            Verdict::Begin if self.is_service(key) && !self.is_needed(key) => self.leave_out_service(cx, key),
            Verdict::Begin => self.begin(cx, key),
        }
    }

    /// Whether a task of a server's run will not be reached: that follows from the others, whatever has become of the run,
    /// and needs no row. Conductor's runs do not show such tasks.
    fn is_not_reached(&self, key: Key, verdict: Verdict) -> bool {
        self.serves()
            && self.task(key).is_none()
            && match verdict {
                Verdict::Skip => true,
                Verdict::Begin | Verdict::Open => self.closing(key.scope).is_some(),
                Verdict::Wait => false,
            }
    }

    /// The task is over without having begun.
    pub(crate) fn note_not_reached(&mut self, cx: &mut Cx<'_>, key: Key) {
        let record = self.not_reached(key);
        self.put_derived(cx, key, record);
    }

    /// The record of a task that was not reached: the same whenever that is found out.
    /// Without a number: there is no row that could have it.
    pub(crate) fn not_reached(&self, key: Key) -> TaskRecord {
        let record = self.first_record(key, TaskSeq(0));
        TaskRecord { state: TaskState::Ended(TaskOutcome::Skipped), generation: 0, ..record }
    }

    fn skip(&mut self, cx: &mut Cx<'_>, key: Key) {
        let mut record = self.record(key);
        // What somebody has left out needs no other reason.
        if record.served.as_ref().is_none_or(|served| !served.skipped_by_hand) {
            record.error = Some(TaskError::terminal(SKIPPED, self.why_skipped(key)));
        }
        self.end_task(cx, key, record, TaskOutcome::Skipped);
    }

    /// Names the first predecessor that kept the task from being executed.
    fn why_skipped(&self, key: Key) -> String {
        let body = &self.scope(key.scope).graph;
        let culprit = body.predecessors.successors(key.node).iter().find_map(|&node| {
            let task = self.task(Key { scope: key.scope, node })?;
            match task.state {
                TaskState::Ended(TaskOutcome::Succeeded) => None,
                TaskState::Ended(outcome) => {
                    Some(format!("`{}` ended as {}", task.path, crate::run::outcome_name(outcome)))
                }
                _ => None,
            }
        });
        culprit.unwrap_or_else(|| "no edge to it was taken".to_owned())
    }

    fn begin(&mut self, cx: &mut Cx<'_>, key: Key) {
        let graph = self.graph_of(key);
        let node = &graph.nodes[key.node as usize];
        match self.condition_holds(key, node) {
            Ok(true) => self.begin_action(cx, key, node),
            Ok(false) => self.condition_fails(cx, key, node),
            Err(error) => {
                let record = self.record(key);
                self.fail_task(cx, key, record, error);
            }
        }
    }

    fn condition_holds(&self, key: Key, node: &ProgramNode) -> Result<bool, TaskError> {
        match &node.when {
            None => Ok(true),
            Some(when) => when
                .truth(&View::inside(self, key.scope))
                .map_err(|error| TaskError::terminal(CONDITION, error.to_string())),
        }
    }

    fn condition_fails(&mut self, cx: &mut Cx<'_>, key: Key, node: &ProgramNode) {
        let when = node.spec.when.as_ref().expect("only a declared condition fails");
        let mut record = self.record(key);
        let message = format!("its condition does not hold: {}", when.condition.0);
        match when.otherwise {
            Otherwise::Fail => {
                return self.fail_task(cx, key, record, TaskError::terminal(CONDITION, message));
            }
            Otherwise::Notify => {
                let path = record.path.clone();
                cx.event(self.id(), EventKind::Notice { path, message: message.clone() });
            }
            Otherwise::Skip => {}
        }
        record.error = Some(TaskError::terminal(CONDITION, message));
        self.end_task(cx, key, record, TaskOutcome::Skipped);
    }

    fn begin_action(&mut self, cx: &mut Cx<'_>, key: Key, node: &ProgramNode) {
        let mut record = self.record(key);
        record.ready = self.instance(key).since.max(record.ready);
        if self.needs_service(key) {
            record.ready = cx.now;
        }
        if record.served.as_ref().is_some_and(|served| served.skipped_by_hand) {
            return self.end_task(cx, key, record, TaskOutcome::Skipped);
        }
        if self.serves() && !matches!(record.state, TaskState::Waiting { .. }) {
            record.ready = cx.now;
            self.begin_served(cx, key, &mut record, node);
            if !matches!(node.action, Action::Attempt(_)) {
                record.started.get_or_insert(cx.now);
            }
            if let Some(output) = self.kept_result(cx, key, &record, node) {
                return self.reuse(cx, key, record, output);
            }
            if node.schema(Checking::Input).is_some() {
                return self.await_check(cx, key, record, Checking::Input);
            }
        }
        self.act(cx, key, record, node);
    }

    /// What the task is given is as it must be: it begins with what it is there for.
    pub(crate) fn act(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord, node: &ProgramNode) {
        match &node.action {
            Action::Attempt(_) => match node.spec.delay {
                Some(delay) if record.attempt == 0 => self.hold_back(cx, key, record, delay),
                Some(_) | None => self.become_ready(cx, key, record),
            },
            Action::Wait(wait) => self.begin_wait(cx, key, record, wait),
            Action::Evaluate(computation) => match self.compute(key, &record, computation) {
                Computed::Value(value) => self.succeed(cx, key, record, value),
                Computed::Failed(error) => self.fail_task(cx, key, record, error),
                Computed::Elsewhere(effect) => self.await_evaluation(cx, key, record, effect),
            },
            Action::SubRun { flow, input } => {
                let view = View::inside(self, key.scope);
                let input = input.resolve(&view);
                match flow {
                    FlowAction::Frozen(name) => self.begin_sub_run(cx, key, record, name, input),
                    FlowAction::Wanted(tree) => {
                        let description = tree.resolve(&view);
                        self.look_up(cx, key, record, Purpose::SubRun, description, input);
                    }
                }
            }
            Action::Start(tree) => {
                let description = tree.resolve(&View::inside(self, key.scope));
                self.look_up(cx, key, record, Purpose::Start, description, Payload::Null);
            }
            Action::Expand(expand) => self.begin_expand(cx, key, record, expand),
            Action::Each(each) => self.begin_each(cx, key, record, each),
            Action::Loop(repeat) => self.begin_loop(cx, key, record, repeat),
            Action::Switch { value, .. } => match self.compute(key, &record, value) {
                Computed::Value(value) => {
                    self.switched(cx, key, record, &value);
                }
                Computed::Failed(error) => self.fail_task(cx, key, record, error),
                Computed::Elsewhere(effect) => self.await_evaluation(cx, key, record, effect),
            },
            Action::Join(_) => self.join(cx, key, record),
            Action::Terminate { .. } if self.serves() => {
                // What begins in the same moment, other branches and their join, is seen before it is cancelled.
                record.state = TaskState::Waiting { until: Timestamp::MAX };
                self.put(cx, key, record);
                cx.agenda.push_back(Todo::Consider(self.id(), key));
            }
            Action::Terminate { outcome, output, reason } => {
                self.terminate_by(cx, key, record, *outcome, output, reason);
            }
            Action::SetVariables(tree) => {
                let values = tree.resolve(&View::inside(self, key.scope));
                self.set_variables(cx, &values);
                self.succeed(cx, key, record, Payload::Null);
            }
            Action::Noop => self.succeed(cx, key, record, Payload::Null),
        }
    }

    /// Whether the task has begun and is yet to end its run.
    pub(crate) fn is_about_to_terminate(&self, key: Key) -> bool {
        let Some(task) = self.task(key) else { return false };
        let is_checked = task.served.as_ref().is_some_and(|served| served.checking.is_some());
        let waits = matches!(task.state, TaskState::Waiting { .. }) && !is_checked;
        waits && self.is_under_way() && matches!(self.node(key).action, Action::Terminate { .. })
    }

    fn terminate_at_last(&mut self, cx: &mut Cx<'_>, key: Key) {
        let graph = self.graph_of(key);
        let Action::Terminate { outcome, output, reason } = &graph.nodes[key.node as usize].action else {
            return;
        };
        let record = self.record(key);
        self.terminate_by(cx, key, record, *outcome, output, reason);
    }

    fn terminate_by(
        &mut self,
        cx: &mut Cx<'_>,
        key: Key,
        record: TaskRecord,
        outcome: RunOutcome,
        output: &Tree,
        reason: &Template,
    ) {
        let view = View::inside(self, key.scope);
        let (output, reason) = (output.resolve(&view), reason.resolve_text(&view));
        let task = record.seq;
        self.succeed(cx, key, record, output.clone());
        self.terminate(cx, task, outcome, output, reason);
    }

    fn begin_wait(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord, wait: &WaitTemplate) {
        record.started = Some(cx.now);
        record.generation += 1;
        match self.wait_target(key, &record, wait) {
            Ok(target) => {
                let limit = self.wait_limit(key).map_or(Timestamp::MAX, |limit| cx.now + limit);
                record.state = TaskState::Waiting { until: target.min(limit) };
                let reason = match wait {
                    WaitTemplate::Duration(_) | WaitTemplate::Until(_) => {
                        format!("waits until {}", unit::format_timestamp(target))
                    }
                    WaitTemplate::Signal => "waits for a signal".to_owned(),
                    WaitTemplate::Approval => "waits for approval".to_owned(),
                };
                let (task, path) = (record.seq, record.path.clone());
                cx.event(self.id(), EventKind::TaskWaits { task, path, reason });
                self.put(cx, key, record);
            }
            Err(error) => self.fail_task(cx, key, record, error),
        }
    }

    fn wait_limit(&self, key: Key) -> Option<std::time::Duration> {
        match &self.node(key).spec.kind {
            partitur_model::definition::Kind::Wait(wait) => wait.at_most,
            _ => None,
        }
    }

    /// When a wait for time is over; never for one that a signal ends.
    pub(crate) fn wait_target(
        &self,
        key: Key,
        record: &TaskRecord,
        wait: &WaitTemplate,
    ) -> Result<Timestamp, TaskError> {
        let view = View::inside(self, key.scope);
        let bad = |error: unit::BadTime| TaskError::terminal("bad-time", error.to_string());
        match wait {
            WaitTemplate::Duration(text) => {
                let text = text.resolve_text(&view);
                let pause = if self.serves() {
                    unit::parse_wait_duration(&text)
                } else {
                    unit::parse_duration(&text)
                };
                Ok(record.started.unwrap_or(record.ready) + pause.map_err(bad)?)
            }
            WaitTemplate::Until(text) if self.serves() => {
                unit::parse_wait_until(&text.resolve_text(&view)).map_err(bad)
            }
            WaitTemplate::Until(text) => unit::parse_timestamp(&text.resolve_text(&view)).map_err(bad),
            WaitTemplate::Signal | WaitTemplate::Approval => Ok(Timestamp::MAX),
        }
    }

    pub(crate) fn set_variables(&mut self, cx: &mut Cx<'_>, values: &Payload) {
        let mut variables = self.rec.variables.entries().unwrap_or_default();
        for (name, value) in values.entries().unwrap_or_default() {
            match variables.iter_mut().find(|(known, _)| *known == name) {
                Some(entry) => entry.1 = value,
                None => variables.push((name, value)),
            }
        }
        self.rec.variables = Payload::object(variables);
        self.write(cx);
    }

    /// Computes a value here if that is quick, else says how to have it computed.
    fn compute(&self, key: Key, record: &TaskRecord, computation: &Computation) -> Computed {
        self.compute_in(&View::with(self, key, record), record, computation)
    }

    /// [`Run::compute`] where names are looked up from `view`.
    pub(crate) fn compute_in(
        &self,
        view: &View<'_>,
        record: &TaskRecord,
        computation: &Computation,
    ) -> Computed {
        match computation {
            Computation::Expression(expression) => match expression.value(view) {
                Ok(value) => Computed::Value(Payload::object([("result", value)])),
                Err(error) => Computed::Failed(TaskError::terminal("expression", error.to_string())),
            },
            Computation::Tree(tree) => Computed::Value(tree.resolve(view)),
            Computation::Rules(rules) => match rules.apply(view) {
                Ok(value) => Computed::Value(value),
                Err(failure) => Computed::Failed(TaskError::terminal("rule", failure.to_string())),
            },
            Computation::Script { language, source, input, quick } => {
                let input = match &record.served {
                    Some(served) => served.input.clone(),
                    None => input.resolve(view),
                };
                if let Some(value) = quick.as_ref().and_then(|quick| quick.evaluate(&ScriptInput(&input))) {
                    return Computed::Value(Payload::object([("result", value)]));
                }
                Computed::Elsewhere(Effect::Evaluate {
                    run: self.id(),
                    task: record.seq,
                    generation: record.generation + 1,
                    language: language.clone(),
                    source: source.text(view),
                    input,
                })
            }
        }
    }

    /// The task waits for an evaluation outside the engine.
    fn await_evaluation(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord, effect: Effect) {
        record.generation += 1;
        record.attempt += 1;
        record.started.get_or_insert(cx.now);
        let limit = self.node(key).spec.timeouts.attempt;
        record.state = TaskState::Waiting { until: limit.map_or(Timestamp::MAX, |limit| cx.now + limit) };
        cx.batch.effect(effect);
        self.put(cx, key, record);
    }

    /// The task has succeeded with this output.
    pub(crate) fn succeed(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord, output: Payload) {
        record.output = (!output.is_null()).then_some(output);
        record.error = None;
        if record.served.is_some() && self.node(key).schema(Checking::Output).is_some() {
            return self.await_check(cx, key, record, Checking::Output);
        }
        self.end_task(cx, key, record, TaskOutcome::Succeeded);
    }

    /// The task has failed for good.
    pub(crate) fn fail_task(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord, error: TaskError) {
        record.error = Some(error);
        self.end_task(cx, key, record, TaskOutcome::Failed);
    }

    /// The task is over.
    pub(crate) fn end_task(
        &mut self,
        cx: &mut Cx<'_>,
        key: Key,
        mut record: TaskRecord,
        outcome: TaskOutcome,
    ) {
        #[cfg(test)]
        crate::planted::strike(&record.node, "breaks at its end");
        record.state = TaskState::Ended(outcome);
        record.ended = Some(cx.now);
        self.keep_result(cx, key, &record, outcome);
        cx.event(
            self.id(),
            EventKind::TaskEnded {
                task: record.seq,
                path: record.path.clone(),
                outcome,
                error: record.error.clone(),
                cached: record.cached,
            },
        );
        self.call_back_of_task(cx, Moment::of_task(outcome), &record);
        let error = record.error.clone();
        let path = record.path.clone();
        self.put(cx, key, record);
        if self.is_service(key) && outcome != TaskOutcome::Succeeded {
            self.service_is_lost(cx, key);
        }
        self.let_services_go(cx, key.scope);
        if outcome.is_failure() {
            let error = error.unwrap_or_else(|| TaskError::new("failed", "it failed"));
            self.spread_failure(cx, key, &path, error);
        }
    }

    /// A failure may end the other branches of its container, or the run.
    fn spread_failure(&mut self, cx: &mut Cx<'_>, key: Key, path: &str, error: TaskError) {
        let spec = &self.node(key).spec;
        if !self.is_under_way() || self.closing(key.scope).is_some() || spec.optional || spec.permissive {
            return;
        }
        let mut scope = key.scope;
        while let Some((container, _)) = self.scope(scope).container {
            if let Action::Each(each) = &self.node(container).action
                && each.fail_fast
            {
                return self.close_container(cx, container, branch_failed(path, error));
            }
            if self.node(container).spec.optional {
                return;
            }
            scope = container.scope;
        }
        if self.on_failure() != OnFailure::Continue {
            let (outcome, message) = match self.task(key) {
                Some(task) if self.serves() => {
                    let TaskState::Ended(outcome) = task.state else { return };
                    (run_outcome(outcome), self.served_reason(task, outcome, &error))
                }
                Some(_) | None => (RunOutcome::Failed, format!("`{path}`: {}", error.message)),
            };
            // What is said of a run that failed is not what is said of one that somebody cancelled.
            let code = if self.serves() { "task".to_owned() } else { error.code.clone() };
            let fatal = Todo::Fatal(self.id(), outcome, TaskError { code, message, ..error });
            if self.serves() {
                // Before the run is found to have nothing left to do: how it ends is how its task did.
                cx.agenda.push_front(fatal);
            } else {
                cx.agenda.push_back(fatal);
            }
        }
    }

    /// What a failure means for the run: the submitter's word, else the document's.
    pub(crate) fn on_failure(&self) -> OnFailure {
        self.rec.options.on_failure.unwrap_or(self.program.definition.on_failure)
    }

    /// What Conductor says of a run that a task has ended without a word.
    fn termination(&self, task: TaskSeq, outcome: RunOutcome) -> String {
        let status = match outcome {
            RunOutcome::Succeeded => "COMPLETED",
            RunOutcome::Cancelled => "TERMINATED",
            RunOutcome::Failed
            | RunOutcome::TimedOut
            | RunOutcome::RolledBack
            | RunOutcome::RollbackFailed => "FAILED",
        };
        format!("Workflow is {status} by TERMINATE task: {}", TaskId::new(self.id(), task))
    }

    fn terminate(
        &mut self,
        cx: &mut Cx<'_>,
        task: TaskSeq,
        outcome: RunOutcome,
        output: Payload,
        reason: String,
    ) {
        self.rec.output = Some(output);
        // By Conductor's rules a run that a task has ended says so even if it has succeeded.
        if outcome != RunOutcome::Succeeded || self.serves() {
            let reason =
                if reason.is_empty() && self.serves() { self.termination(task, outcome) } else { reason };
            self.rec.error = Some(TaskError::terminal("terminated", reason));
        }
        self.wind_down(cx, outcome);
    }

    /// The run is to end so: nothing new starts, and what lives is stopped.
    pub(crate) fn wind_down(&mut self, cx: &mut Cx<'_>, outcome: RunOutcome) {
        self.rec.state = RunState::Ending(outcome);
        self.write(cx);
        cx.event(self.id(), EventKind::Run { state: self.rec.state });
        self.stop_everything(cx);
        cx.agenda.push_back(Todo::MayEnd(self.id()));
    }
}

/// How a run ends of which a task ended so, by Conductor's rules.
fn run_outcome(outcome: TaskOutcome) -> RunOutcome {
    match outcome {
        TaskOutcome::TimedOut => RunOutcome::TimedOut,
        TaskOutcome::Cancelled => RunOutcome::Cancelled,
        TaskOutcome::Failed | TaskOutcome::Succeeded | TaskOutcome::Skipped => RunOutcome::Failed,
    }
}

/// Why a container closes. It fails, even if its branch was cancelled: only who cancels the container itself cancels it.
fn branch_failed(path: &str, error: TaskError) -> TaskError {
    let code = if error.code == CANCELLED { crate::container::BRANCH_FAILED.to_owned() } else { error.code };
    TaskError::terminal(code, format!("`{path}`: {}", error.message))
}

/// What a script sees as `$`.
struct ScriptInput<'a>(&'a Payload);

impl Lookup for ScriptInput<'_> {
    fn lookup(&self, _head: &str, steps: &[Step]) -> Option<Payload> {
        navigate(self.0, steps)
    }
}

/// What came of a computation.
pub(crate) enum Computed {
    Value(Payload),
    Failed(TaskError),
    Elsewhere(Effect),
}

impl Run {
    /// The case of a switch is known.
    pub(crate) fn switched(&mut self, cx: &mut Cx<'_>, key: Key, record: TaskRecord, value: &Payload) {
        let output = if self.serves() { served_case(value) } else { case_of(value) };
        self.succeed(cx, key, record, output);
    }
}

/// The output of one of Conductor's switches. Whole numbers stand without a fraction, and what is missing is `null`.
fn served_case(value: &Payload) -> Payload {
    let case = case_text(value);
    let case = case.strip_suffix(".0").filter(|whole| whole.parse::<i64>().is_ok()).unwrap_or(&case);
    let case = Payload::string(case);
    Payload::object([("evaluationResult", Payload::list([case.clone()])), ("selectedCase", case)])
}

fn case_text(value: &Payload) -> String {
    let value = value.member("result").unwrap_or_else(|| value.clone());
    match value.to_value() {
        serde_json::Value::String(text) => text,
        _ => value.render(),
    }
}

/// The output of a switch with this value. As a case, strings stand bare and everything else as JSON.
pub(crate) fn case_of(value: &Payload) -> Payload {
    Payload::object([("case", Payload::string(&case_text(value)))])
}
