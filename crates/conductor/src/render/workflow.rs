//! Writes a run.

use std::collections::BTreeSet;

use partitur_model::record::{Parent, RunState};
use partitur_model::{Payload, TaskId, Timestamp};

use super::object::Object;
use super::status::{reason, workflow_status};
use super::task::options;
use super::view::RunView;
use crate::json;
use crate::wire::TaskStatus;

impl RunView<'_> {
    /// Appends the run, with its tasks or without.
    pub fn write_workflow(&self, include_tasks: bool, out: &mut String) {
        let run = self.run;
        let options = options(run);
        let mut object = Object::begin(out);
        object.text("ownerApp", "");
        object.time("createTime", Some(run.created));
        object.time("updateTime", Some(self.updated()));
        object.some_text("createdBy", self.creator());
        object.text("status", workflow_status(run.state).as_str());
        object.time("endTime", run.ended);
        object.plain("workflowId", run.id);
        if let Some(Parent { run, task, .. }) = run.parent {
            object.plain("parentWorkflowId", run);
            object.plain("parentWorkflowTaskId", TaskId::new(run, task));
        }
        let tasks = object.key("tasks");
        if include_tasks {
            self.write_tasks(tasks)
        } else {
            tasks.push_str("[]")
        }
        object.object("input", Some(&self.masked(&run.input)));
        object.object("output", Some(&self.masked(&self.run_output())));
        object.some_text("correlationId", options.and_then(|options| options.correlation.as_deref()));
        object.some_text("reasonForIncompletion", reason(run));
        object.some_text("event", options.and_then(|options| options.event.as_deref()));
        let domains = options.map_or(&[][..], |options| &options.domains);
        let domains = domains.iter().map(|(name, domain)| (name.as_str(), Payload::string(domain)));
        object.payload("taskToDomain", &Payload::object(domains));
        object.texts("failedReferenceTaskNames", self.failed(|view, task| view.reference(task).into_owned()));
        object.key("workflowDefinition").push_str(&self.renderer.text);
        object.number("priority", options.map_or(0, |options| u64::from(options.priority)));
        object.object("variables", Some(&self.masked(&run.variables)));
        object.time("lastRetriedTime", Some(run.begun).filter(|&begun| begun > run.created));
        object.texts("failedTaskNames", self.failed_task_names());
        object.key("history").push_str("[]");
        object.some_text(
            "idempotencyKey",
            options.and_then(|options| Some(options.idempotency.as_ref()?.0.as_str())),
        );
        object.truth("rateLimited", self.is_rate_limited());
        object.time("startTime", Some(run.created));
        object.text("workflowName", &self.renderer.def.name);
        object.number("workflowVersion", u64::from(self.version()));
        object.end();
    }

    /// Appends the list of its tasks.
    pub fn write_tasks(&self, out: &mut String) {
        out.push('[');
        for (at, (task, _)) in self.tasks().enumerate() {
            if at > 0 {
                out.push(',');
            }
            self.write_task(task, out);
        }
        out.push(']');
    }

    /// Appends how the run stands, in short.
    pub fn write_status(&self, include_output: bool, include_variables: bool, out: &mut String) {
        let mut object = Object::begin(out);
        object.plain("workflowId", self.run.id);
        object
            .some_text("correlationId", options(self.run).and_then(|options| options.correlation.as_deref()));
        if include_output {
            object.object("output", Some(&self.masked(&self.run_output())));
        }
        if include_variables {
            object.object("variables", Some(&self.masked(&self.run.variables)));
        }
        object.text("status", workflow_status(self.run.state).as_str());
        object.end();
    }

    /// What the run yielded, and which run followed its failure.
    pub fn run_output(&self) -> Payload {
        let output =
            self.run.output.clone().filter(|output| !output.is_null()).unwrap_or_else(json::empty_object);
        match self.run.failure_run {
            Some(run) => {
                json::with(&output, [("conductor.failure_workflow", Payload::string(&run.to_string()))])
            }
            None => output,
        }
    }

    /// When anything in it last changed in sight of others.
    pub fn updated(&self) -> Timestamp {
        let run = [Some(self.run.created), Some(self.run.begun), self.run.ended];
        let tasks = self
            .tasks
            .iter()
            .flat_map(|task| [task.served.as_ref().map(|served| served.updated), task.ended]);
        run.into_iter().chain(tasks).flatten().max().unwrap_or_default()
    }

    /// Whether it waits until others of its definition have ended.
    fn is_rate_limited(&self) -> bool {
        let limits = self.renderer.def.rate_limit_config.is_some();
        limits && self.run.state == RunState::Running && self.tasks().next().is_none()
    }

    pub(super) fn version(&self) -> u32 {
        let chosen = options(self.run).map_or(0, |options| options.version);
        if chosen > 0 { chosen } else { self.renderer.def.version }
    }

    pub(super) fn creator(&self) -> Option<&str> {
        options(self.run).map(|options| options.creator.as_str()).filter(|creator| !creator.is_empty())
    }

    /// The names of the definitions of tasks that failed.
    pub fn failed_task_names(&self) -> Vec<String> {
        self.failed(|view, task| {
            view.template(task).map(|template| template.def_name.clone()).unwrap_or_default()
        })
    }

    /// The reference names of tasks that failed.
    pub fn failed_references(&self) -> Vec<String> {
        self.failed(|view, task| view.reference(task).into_owned())
    }

    /// Something of each task of which an attempt failed; Conductor says so when the run is over.
    fn failed<'v>(
        &'v self,
        of: impl Fn(&'v Self, &'v partitur_model::record::TaskRecord) -> String,
    ) -> Vec<String> {
        if !self.run.state.is_ended() {
            return Vec::new();
        }
        let mut seen = BTreeSet::new();
        let has_failed =
            |status: TaskStatus| matches!(status, TaskStatus::Failed | TaskStatus::FailedWithTerminalError);
        let names = self.tasks().filter(|(_, status)| has_failed(*status)).map(|(task, _)| of(self, task));
        names.filter(|name| seen.insert(name.clone())).collect()
    }
}
