//! Writes what searches show of runs and tasks.

use partitur_model::record::{RunRecord, TaskRecord};
use partitur_model::{Payload, TaskId, Timestamp, unit};

use super::masked::masked;
use super::object::Object;
use super::status::{reason, workflow_status};
use super::task::{iteration_of, options};
use super::view::RunView;

impl RunView<'_> {
    /// Appends what a search shows of the run.
    pub fn write_summary(&self, out: &mut String) {
        let (references, names) = (self.failed_references(), self.failed_task_names());
        let masked = &self.renderer.def.masked_fields;
        write(self.run, self.version(), self.updated(), [&references, &names], masked, out);
    }

    /// The same of a run of whose tasks only those that failed were read.
    pub fn write_short_summary(&self, out: &mut String) {
        let (references, names) = (self.failed_references(), self.failed_task_names());
        let (masked, updated) = (&self.renderer.def.masked_fields, self.run.ended.unwrap_or(self.run.begun));
        write(self.run, self.version(), updated, [&references, &names], masked, out);
    }

    /// By which names a search finds a task: its type, and that of its definition.
    pub fn searched_names(&self, task: &TaskRecord) -> [&str; 2] {
        self.template(task).map_or(["", ""], |template| [&template.task_type, &template.def_name])
    }

    /// Appends what a search shows of a task.
    pub fn write_task_summary(&self, task: &TaskRecord, out: &mut String) {
        let Some(template) = self.template(task) else { return };
        let options = options(self.run);
        let served = task.served.as_deref();
        let started = task.started.unwrap_or_default();
        let mut object = Object::begin(out);
        object.plain("workflowId", self.run.id);
        object.text("workflowType", &self.renderer.def.name);
        object.some_text("correlationId", options.and_then(|options| options.correlation.as_deref()));
        object.plain("scheduledTime", iso(task.ready));
        if task.started.is_some() {
            object.plain("startTime", iso(started));
        }
        object.plain("updateTime", iso(served.map_or(task.ready, |served| served.updated)));
        if let Some(ended) = task.ended {
            object.plain("endTime", iso(ended));
        }
        object.text("status", self.status(task, template).as_str());
        object.some_text("reasonForIncompletion", task.error.as_ref().map(|error| error.message.as_str()));
        object.number("executionTime", task.ended.map_or(0, |ended| ended.since(started).as_millis() as u64));
        object.number(
            "queueWaitTime",
            task.started.map_or(0, |started| started.since(task.ready).as_millis() as u64),
        );
        object.text("taskDefName", &template.def_name);
        object.text("taskType", &template.task_type);
        object.text(
            "input",
            &served.map_or_else(|| "{}".to_owned(), |served| like_a_map(&self.masked(&served.input))),
        );
        object.text(
            "output",
            &task.output.as_ref().map_or_else(|| "{}".to_owned(), |output| like_a_map(&self.masked(output))),
        );
        object.plain("taskId", TaskId::new(task.run, task.seq));
        match iteration_of(task) {
            Some(iteration) => object.text("taskReferenceName", &format!("{}__{iteration}", task.node)),
            None => object.text("taskReferenceName", &task.node),
        }
        object.number("workflowPriority", options.map_or(0, |options| u64::from(options.priority)));
        object.some_text("domain", served.and_then(|served| served.domain.as_deref()));
        object.end();
    }
}

fn write(
    run: &RunRecord,
    version: u32,
    updated: Timestamp,
    [failed, names]: [&[String]; 2],
    hidden: &[String],
    out: &mut String,
) {
    let options = options(run);
    let shown = |payload: &Payload| like_a_map(&masked(payload, hidden));
    let (input, output) = (shown(&run.input), shown(run.output.as_ref().unwrap_or(&Payload::Null)));
    let mut object = Object::begin(out);
    object.text("workflowType", &run.name);
    object.number("version", u64::from(version));
    object.plain("workflowId", run.id);
    object.some_text("correlationId", options.and_then(|options| options.correlation.as_deref()));
    object.plain("startTime", iso(run.created));
    object.plain("updateTime", iso(updated));
    if let Some(ended) = run.ended {
        object.plain("endTime", iso(ended));
    }
    object.text("status", workflow_status(run.state).as_str());
    object.text("input", &input);
    object.text("output", &output);
    object.some_text("reasonForIncompletion", reason(run));
    object.number("executionTime", run.ended.map_or(0, |ended| ended.since(run.created).as_millis() as u64));
    object.some_text("event", options.and_then(|options| options.event.as_deref()));
    object.text("failedReferenceTaskNames", &failed.join(","));
    object.number("priority", options.map_or(0, |options| u64::from(options.priority)));
    object.texts("failedTaskNames", names);
    let creator = options.map(|options| options.creator.as_str()).filter(|creator| !creator.is_empty());
    object.some_text("createdBy", creator);
    let domains = options.map_or(&[][..], |options| &options.domains);
    let domains = domains.iter().map(|(name, domain)| (name.as_str(), Payload::string(domain)));
    object.payload("taskToDomain", &Payload::object(domains));
    object.some_text(
        "idempotencyKey",
        options.and_then(|options| Some(options.idempotency.as_ref()?.0.as_str())),
    );
    object.text("parentWorkflowId", &run.parent.map(|parent| parent.run.to_string()).unwrap_or_default());
    object.text("classifier", "workflow");
    object.number("inputSize", input.len() as u64);
    object.number("outputSize", output.len() as u64);
    object.end();
}

/// A time as searches write it.
fn iso(time: Timestamp) -> String {
    unit::format_timestamp(time)
}

/// A value as Java writes a map, `{a=1, b=[x]}`: so searches show inputs and outputs.
fn like_a_map(payload: &Payload) -> String {
    let mut out = String::new();
    push_like_a_map(payload, &mut out);
    if out == "null" { "{}".to_owned() } else { out }
}

fn push_like_a_map(payload: &Payload, out: &mut String) {
    if let Some(entries) = payload.entries() {
        out.push('{');
        for (at, (key, value)) in entries.iter().enumerate() {
            out.push_str(if at > 0 { ", " } else { "" });
            out.push_str(key);
            out.push('=');
            push_like_a_map(value, out);
        }
        out.push('}');
    } else if let Some(elements) = payload.elements() {
        out.push('[');
        for (at, value) in elements.iter().enumerate() {
            out.push_str(if at > 0 { ", " } else { "" });
            push_like_a_map(value, out);
        }
        out.push(']');
    } else {
        out.push_str(&crate::json::plain(payload));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_of_summaries_look_like_maps_of_java() {
        let shown = |text: &str| like_a_map(&Payload::parse(text).unwrap());
        assert_eq!(shown(r#"{"a":1,"b":{"c":[true,null,"x y"]}}"#), "{a=1, b={c=[true, null, x y]}}");
        assert_eq!(shown("{}"), "{}");
        assert_eq!(shown("null"), "{}");
    }
}
