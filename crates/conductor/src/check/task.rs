//! What each type of task needs.

use partitur_model::Payload;
use partitur_model::unit::{parse_wait_duration, parse_wait_until};

use super::NAME_MAX;
use super::expressions::expressions_in;
use crate::TaskType;
use crate::json;
use crate::wire::{ValidationError, WorkflowTask};

/// The faults of one task, without those of the tasks in it.
pub fn task(task: &WorkflowTask, path: &str, faults: &mut Vec<ValidationError>) {
    let mut check = Check { task, path, faults };
    check.names();
    match task.task_type() {
        TaskType::Switch => check.switch(),
        TaskType::Decision => check.decision(),
        TaskType::DoWhile => check.do_while(),
        TaskType::Dynamic => check.dynamic(),
        TaskType::ForkJoin => check.fork(),
        TaskType::ForkJoinDynamic => check.dynamic_fork(),
        TaskType::Http => check.http(),
        TaskType::HttpPoll => check.http_poll(),
        TaskType::Terminate => check.terminate(),
        TaskType::SubWorkflow => check.sub_workflow(),
        TaskType::JsonJqTransform => check.jq(),
        TaskType::Inline => check.inline(),
        TaskType::Wait => check.wait(),
        TaskType::Event => check.event(),
        TaskType::Absent(reason) => check.absent(reason),
        TaskType::Simple
        | TaskType::Custom(_)
        | TaskType::Lambda
        | TaskType::Join
        | TaskType::ExclusiveJoin
        | TaskType::StartWorkflow
        | TaskType::SetVariable
        | TaskType::Human
        | TaskType::Yield
        | TaskType::PullMessages
        | TaskType::Noop => {}
    }
    check.cache_key();
}

/// Of HTTP_POLL.
const CONDITION: &str = "terminationCondition";

/// The condition with which polling ends, and where it stands among the parameters: what stands in the request counts.
pub(super) fn poll_condition(task: &WorkflowTask) -> Option<(String, String)> {
    if task.task_type() != TaskType::HttpPoll {
        return None;
    }
    let within = task.parameter("http_request").and_then(|request| request.member(CONDITION));
    let (place, condition) = match within.filter(|condition| !condition.is_null()) {
        Some(condition) => (format!("http_request.{CONDITION}"), condition),
        None => (CONDITION.to_owned(), task.parameter(CONDITION)?),
    };
    Some((place, json::text(&condition)?))
}

struct Check<'a> {
    task: &'a WorkflowTask,
    path: &'a str,
    faults: &'a mut Vec<ValidationError>,
}

impl Check<'_> {
    fn fault(&mut self, message: impl Into<String>) {
        self.faults.push(ValidationError::new(self.path, message));
    }

    /// `what` for this task, in Conductor's words.
    fn for_task(&mut self, what: &str) {
        let kind = self.task.kind.as_deref().unwrap_or_default();
        self.fault(format!("{what} for taskType: {kind} taskName: {}", self.task.name));
    }

    fn names(&mut self) {
        let name = |field: &str| format!("{}.{field}", self.path);
        if self.task.name.is_empty() {
            let message = "WorkflowTask name cannot be empty or null";
            self.faults.push(ValidationError::new(name("name"), message));
        }
        if self.task.task_reference_name.is_empty() {
            let message = "WorkflowTask taskReferenceName name cannot be empty or null";
            self.faults.push(ValidationError::new(name("taskReferenceName"), message));
        }
        if self.task.name.len().max(self.task.task_reference_name.len()) > NAME_MAX {
            self.fault(format!("names have at most {NAME_MAX} bytes"));
        }
        if self.task.task_reference_name.ends_with("$gate") {
            self.fault("taskReferenceName must not end in `$gate`");
        }
    }

    /// A key that names what the task is not given would be the same for all of them.
    fn cache_key(&mut self) {
        let config = self.task.cache_config.as_ref();
        let Some(key) = config.and_then(|config| config.key.as_deref()) else { return };
        let template = self.task.task_definition.as_ref().map(|def| &def.input_template.0);
        let is_given = |name: &str| {
            self.task.parameter(name).is_some()
                || template.is_some_and(|template| template.member(name).is_some())
        };
        let is_certain = |expression: &str| {
            let head = expression.split(['.', '[']).next().unwrap_or_default();
            is_given(head) || expression.starts_with("workflow.input")
        };
        if let Some(strange) = expressions_in(key).into_iter().find(|expression| !is_certain(expression)) {
            let path = format!("{}.cacheConfig.key", self.path);
            let message =
                format!("`{strange}` is no input parameter of the task, and no input of the workflow");
            self.faults.push(ValidationError::of(path, message, key));
        }
    }

    fn switch(&mut self) {
        let is_empty = |text: &Option<String>| text.as_deref().is_none_or(str::is_empty);
        if is_empty(&self.task.evaluator_type) {
            self.for_task("evaluatorType field is required");
        } else {
            self.language(self.task.evaluator_type.as_deref());
            if is_empty(&self.task.expression) {
                self.for_task("expression field is required");
            }
        }
        self.cases();
    }

    fn decision(&mut self) {
        if self.task.case_value_param.is_none() && self.task.case_expression.is_none() {
            self.for_task("caseValueParam or caseExpression field is required");
        }
        self.cases();
    }

    fn cases(&mut self) {
        if self.task.decision_cases.0.is_empty() {
            self.for_task("decisionCases should have atleast one task");
        }
    }

    fn language(&mut self, evaluator: Option<&str>) {
        if crate::lower::language(evaluator).is_none() {
            let evaluator = evaluator.unwrap_or_default();
            let message = "expressions are written in `javascript`, `graaljs` or `value-param`";
            self.faults.push(ValidationError::of(format!("{}.evaluatorType", self.path), message, evaluator));
        }
    }

    fn do_while(&mut self) {
        if self.task.loop_condition.is_none() {
            self.for_task("loopCondition field is required");
        }
        if self.task.loop_over.is_empty() {
            self.for_task("loopOver field is required");
        }
        if let Some(keep) = self.task.parameter("keepLastN").filter(|keep| json::whole(keep).is_none()) {
            let path = format!("{}.inputParameters.keepLastN", self.path);
            self.faults.push(ValidationError::of(path, "keepLastN must be a number", json::plain(&keep)));
        }
    }

    fn dynamic(&mut self) {
        if self.task.dynamic_task_name_param.is_none() {
            self.for_task("dynamicTaskNameParam field is required");
        }
    }

    fn fork(&mut self) {
        if self.task.fork_tasks.is_empty() {
            self.for_task("forkTasks should have atleast one task");
        }
    }

    fn dynamic_fork(&mut self) {
        let task = self.task;
        let (tasks, inputs) = (&task.dynamic_fork_tasks_param, &task.dynamic_fork_tasks_input_param_name);
        if task.dynamic_fork_join_tasks_param.is_some() {
            if tasks.is_some() || inputs.is_some() {
                self.for_task(
                    "dynamicForkJoinTasksParam or combination of dynamicForkTasksInputParamName and dynamicForkTasksParam cam be used",
                );
            }
            return;
        }
        if task.parameter("forkTaskInputs").is_some() {
            return;
        }
        if inputs.is_none() {
            self.for_task("dynamicForkTasksInputParamName field is required");
        }
        if tasks.is_none() {
            self.for_task("dynamicForkTasksParam field is required");
        }
    }

    fn http(&mut self) {
        let template = self.task.task_definition.as_ref().map(|def| &def.input_template.0);
        let has = |key: &str| {
            self.task.parameter(key).is_some()
                || template.is_some_and(|template| template.member(key).is_some())
        };
        if !has("http_request") && !has("uri") {
            self.for_task("inputParameters.http_request or inputParameters.uri field is required");
        }
    }

    fn http_poll(&mut self) {
        self.http();
        let template = self.task.task_definition.as_ref().map(|def| &def.input_template.0);
        let within = |input: &Payload| {
            input.member(CONDITION).is_some()
                || input.member("http_request").is_some_and(|request| {
                    // What only a value says is known when the task begins.
                    json::text(&request).is_some() || request.member(CONDITION).is_some()
                })
        };
        if !within(&self.task.input_parameters.0) && !template.is_some_and(within) {
            self.for_task("terminationCondition field is required");
        }
    }

    fn terminate(&mut self) {
        let status = self.task.text_parameter("terminationStatus");
        if status.and_then(|status| crate::lower::outcome(&status)).is_none() {
            self.fault(format!(
                "terminate task must have an terminationStatus parameter and must be set to COMPLETED or FAILED, taskName: {}",
                self.task.name
            ));
        }
        if self.task.optional {
            self.fault(format!("terminate task cannot be optional, taskName: {}", self.task.name));
        }
    }

    fn sub_workflow(&mut self) {
        if self.task.sub_workflow_param.is_none() {
            self.for_task("subWorkflowParam field is required");
        }
    }

    fn jq(&mut self) {
        if self.task.parameter("queryExpression").is_none() {
            self.for_task("inputParameters.queryExpression field is required");
        }
    }

    fn inline(&mut self) {
        self.language(self.task.text_parameter("evaluatorType").as_deref());
    }

    fn wait(&mut self) {
        let text = |key: &str| self.task.text_parameter(key).filter(|text| !text.is_empty());
        let (duration, until) = (text("duration"), text("until"));
        let is_literal = |text: &&String| !text.contains("${");
        if duration.is_some() && until.is_some() {
            self.fault("Both 'duration' and 'until' specified. Please provide only one input");
            return;
        }
        if let Some(text) = duration.as_ref().filter(is_literal)
            && let Err(error) = parse_wait_duration(text)
        {
            self.fault(error.to_string());
        }
        if let Some(text) = until.as_ref().filter(is_literal)
            && let Err(error) = parse_wait_until(text)
        {
            self.fault(error.to_string());
        }
    }

    fn event(&mut self) {
        if self.task.sink.as_deref().is_none_or(str::is_empty) {
            self.for_task("sink field is required");
        }
    }

    fn absent(&mut self, reason: &str) {
        let kind = self.task.kind.as_deref().unwrap_or_default();
        let path = format!("{}.type", self.path);
        self.faults.push(ValidationError::of(path, format!("{kind} is not built in: {reason}"), kind));
    }
}
