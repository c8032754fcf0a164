//! Writes what a signal or a synchronous start answers: a run or a task, with what was asked for around it.

use partitur_model::TaskId;
use partitur_model::record::TaskRecord;

use super::object::Object;
use super::status::workflow_status;
use super::task::options;
use super::view::RunView;
use crate::wire::ReturnStrategy;

/// What an answer says beside the run or the task that it shows.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// What was asked to be shown.
    pub strategy: ReturnStrategy,
    /// By which the client knows its request.
    pub request: Option<&'a str>,
    /// The run that was started or signalled.
    pub target: &'a RunView<'a>,
    /// Nothing that was waited for has come.
    pub timed_out: bool,
}

impl Answer<'_> {
    /// Appends a run: the target, or one below it.
    pub fn write_run(&self, shown: &RunView<'_>, out: &mut String) {
        let run = shown.run;
        let mut object = self.begin(shown, out);
        object.object("input", Some(&shown.masked(&run.input)));
        object.object("output", Some(&shown.masked(&shown.run_output())));
        object.truth("signalTimeout", self.timed_out);
        object.number("priority", options(run).map_or(0, |options| u64::from(options.priority)));
        object.object("variables", Some(&shown.masked(&run.variables)));
        shown.write_tasks(object.key("tasks"));
        object.some_text("createdBy", shown.creator());
        object.time("createTime", Some(run.created));
        object.text("status", workflow_status(run.state).as_str());
        object.time("updateTime", Some(shown.updated()));
        object.end();
    }

    /// Appends a task of the target, or of a run below it.
    pub fn write_task(&self, shown: &RunView<'_>, task: &TaskRecord, out: &mut String) {
        let Some(template) = shown.template(task) else { return };
        let Some(task) = shown.task(task.seq) else { return };
        let served = task.served.as_deref();
        let mut object = self.begin(shown, out);
        object.object("input", Some(&shown.masked(&shown.input(task, template))));
        let output = shown.output(task, template);
        object.object("output", output.as_ref().map(|output| shown.masked(output)).as_deref());
        object.truth("signalTimeout", self.timed_out);
        object.text("taskType", &template.task_type);
        object.plain("taskId", TaskId::new(task.run, task.seq));
        object.text("referenceTaskName", &shown.reference(task));
        object.number("retryCount", served.map_or(0, |served| u64::from(served.retries)));
        object.text("taskDefName", &template.def_name);
        if let Some(before) = served.and_then(|served| served.retry_of) {
            object.plain("retriedTaskId", TaskId::new(task.run, before));
        }
        object.text("workflowType", &shown.renderer.def.name);
        object.some_text("reasonForIncompletion", shown.reason(task, template).as_deref());
        object.number("priority", options(shown.run).map_or(0, |options| u64::from(options.priority)));
        object.some_text("createdBy", served.and_then(|served| served.worker.as_deref()));
        object.time("createTime", task.started);
        object.time("updateTime", served.map(|served| served.updated));
        object.text("status", shown.status(task, template).as_str());
        object.end();
    }

    fn begin<'o>(&self, shown: &RunView<'_>, out: &'o mut String) -> Object<'o> {
        let target = self.target.run;
        let mut object = Object::begin(out);
        object.text("responseType", self.strategy.as_str());
        object.plain("targetWorkflowId", target.id);
        object.text("targetWorkflowStatus", workflow_status(target.state).as_str());
        object.some_text("requestId", self.request);
        object.plain("workflowId", shown.run.id);
        object.some_text(
            "correlationId",
            options(shown.run).and_then(|options| options.correlation.as_deref()),
        );
        object
    }
}
