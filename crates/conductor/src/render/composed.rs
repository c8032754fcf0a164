//! What follows from other rows: the outputs of joins and loops, what forks show of their branches, why a join did not
//! succeed.

use std::borrow::Cow;
use std::sync::Arc;

use partitur_model::record::{TaskOutcome, TaskRecord, TaskState};
use partitur_model::{Payload, TaskId};

use super::template::TaskTemplate;
use super::view::RunView;
use crate::TaskType;
use crate::json;
use crate::wire::TaskStatus;

impl<'a> RunView<'a> {
    /// What a task is shown to have been given.
    pub(super) fn input(&self, task: &'a TaskRecord, template: &TaskTemplate) -> Cow<'a, Payload> {
        let given = self.given(task);
        match template.kind {
            TaskType::ForkJoinDynamic => Cow::Owned(self.forked(task, &given)),
            TaskType::Join => {
                let names = self.joined_names(task, template);
                let names = Payload::list(names.iter().map(|name| Payload::string(name)));
                Cow::Owned(Payload::object([("joinOn", names)]))
            }
            TaskType::Switch | TaskType::Decision => Cow::Owned(switched(task, template, &given)),
            _ => given,
        }
    }

    /// What a task yielded.
    pub(super) fn output(&self, task: &'a TaskRecord, template: &TaskTemplate) -> Option<Cow<'a, Payload>> {
        let own = task.output.as_ref().map(Cow::Borrowed);
        match template.kind {
            TaskType::Join => Some(Cow::Owned(self.joined(task, template))),
            TaskType::DoWhile => Some(Cow::Owned(self.looped(task))),
            TaskType::ForkJoinDynamic => None,
            TaskType::Dynamic => own,
            TaskType::Switch => case_of(task).map(|case| {
                let case = Payload::string(&case);
                let result = Payload::list([case.clone()]);
                Cow::Owned(Payload::object([("evaluationResult", result), ("selectedCase", case)]))
            }),
            TaskType::Decision => case_of(task).map(|case| {
                Cow::Owned(Payload::object([("caseOutput", Payload::list([Payload::string(&case)]))]))
            }),
            TaskType::SubWorkflow => Some(Cow::Owned(of_sub_workflow(task))),
            _ => own,
        }
    }

    /// Why a task did not succeed.
    pub(super) fn reason(&self, task: &'a TaskRecord, template: &TaskTemplate) -> Option<Cow<'a, str>> {
        let error = task.error.as_ref()?;
        let succeeded = task.state == TaskState::Ended(TaskOutcome::Succeeded);
        if template.kind == TaskType::Join && succeeded {
            return Some(Cow::Owned(self.errors_of_optional_branches(task, template)));
        }
        Some(Cow::Borrowed(error.message.as_str())).filter(|reason| !reason.is_empty())
    }

    fn errors_of_optional_branches(&self, join: &TaskRecord, template: &TaskTemplate) -> String {
        let mut reason = String::new();
        for task in self.joined_tasks(join, template) {
            let Some(template) = self.template(task) else { continue };
            if self.status(task, template) == TaskStatus::CompletedWithErrors {
                reason.push_str(&format!("{}/{} ", template.def_name, TaskId::new(task.run, task.seq)));
            }
        }
        reason.push_str("completed with errors");
        reason
    }

    /// What a dynamic fork shows: its input, and what it came to.
    fn forked(&self, task: &TaskRecord, given: &Payload) -> Payload {
        let Some(branches) = self.expansion(task).filter(|_| task.items.is_some()) else {
            return given.clone();
        };
        let names = branches.tasks.iter().map(|task| Payload::string(&task.task_reference_name));
        let defs = serde_json::to_string(&branches.tasks).expect("tasks are made of text and numbers");
        let defs = partitur_model::RawJson::trusted(json::compact(&defs));
        json::with(given, [("forkedTaskDefs", defs.into()), ("forkedTasks", Payload::list(names))])
    }

    /// The names of what a join waits for, without the suffixes of iterations.
    fn joined_names(&self, join: &TaskRecord, template: &TaskTemplate) -> Vec<String> {
        match self.dynamic_fork_of(join, template) {
            Some(fork) => {
                let branches = self.expansion(fork).map_or(&[][..], |branches| &branches.tasks);
                branches.iter().map(|task| task.task_reference_name.clone()).collect()
            }
            None => template.task.join_on.clone(),
        }
    }

    /// The rows of what a join waits for, as far as they have begun.
    fn joined_tasks(&self, join: &TaskRecord, template: &TaskTemplate) -> Vec<&'a TaskRecord> {
        let names = self.joined_names(join, template);
        match self.dynamic_fork_of(join, template) {
            Some(fork) => {
                let branches = self.members(fork.seq);
                let last = |(index, rows): (u32, &[&'a TaskRecord])| {
                    let name = names.get(index as usize)?;
                    let own = rows.iter().rev().find(|row| *row.node == **name).copied()?;
                    // A dynamic task stands for the one in it.
                    Some(self.stands_for(own))
                };
                branches.filter_map(last).collect()
            }
            None => {
                let rows = names.iter().filter_map(|name| self.latest(join.scope, name));
                rows.map(|row| self.stands_for(row)).collect()
            }
        }
    }

    /// The row of the task that a DYNAMIC came to.
    fn stands_for(&self, task: &'a TaskRecord) -> &'a TaskRecord {
        let is_dynamic = self.template(task).is_some_and(|template| template.kind == TaskType::Dynamic);
        let inner = self.members(task.seq).flat_map(|(_, rows)| rows.iter().copied());
        if is_dynamic { inner.last().unwrap_or(task) } else { task }
    }

    fn dynamic_fork_of(&self, join: &TaskRecord, template: &TaskTemplate) -> Option<&'a TaskRecord> {
        let fork = self.latest(join.scope, template.before.as_deref()?)?;
        let kind = &self.template(fork)?.kind;
        (*kind == TaskType::ForkJoinDynamic).then_some(fork)
    }

    fn joined(&self, join: &TaskRecord, template: &TaskTemplate) -> Payload {
        let entry = |task: &'a TaskRecord| {
            let output = self.output(task, self.template(task)?)?.into_owned();
            (!json::is_empty(&output)).then(|| (self.reference(task).into_owned(), output))
        };
        Payload::object(self.joined_tasks(join, template).into_iter().filter_map(entry))
    }

    /// What a loop yielded: its iterations by number.
    fn looped(&self, task: &TaskRecord) -> Payload {
        let mut parts: Vec<(Arc<str>, Payload)> =
            vec![("iteration".into(), Payload::from(u64::from(task.iteration)))];
        if let Some(items) = &task.items
            && let Some(index) = task.iteration.checked_sub(1)
        {
            parts.push(("loopIndex".into(), Payload::from(u64::from(index))));
            let item = items.elements().and_then(|items| items.into_iter().nth(index as usize));
            parts.push(("loopItem".into(), item.unwrap_or_default()));
        }
        let has_succeeded = |row: &&TaskRecord| {
            let superseded = row.served.as_ref().is_some_and(|served| served.superseded);
            superseded || matches!(row.state, TaskState::Ended(outcome) if !outcome.is_failure())
        };
        for (iteration, rows) in self.members(task.seq) {
            // Whatever has become of the loop, its last iteration counts if all of it has succeeded.
            let is_over = iteration < task.iteration || rows.iter().all(has_succeeded);
            if is_over && (iteration < task.iteration || task.state.is_ended()) {
                parts.push((iteration.to_string().into(), self.iteration_output(task, iteration)));
            }
        }
        Payload::Object(parts.into())
    }

    /// The outputs of all tasks of an iteration that are tasks of the loop's body, by their names without suffix.
    fn iteration_output(&self, container: &TaskRecord, iteration: u32) -> Payload {
        let mut outputs: Vec<(Arc<str>, Payload)> = Vec::new();
        for &row in self.part(container.seq, iteration) {
            let Some(template) = self.template(row) else { continue };
            if row.state == TaskState::Ended(TaskOutcome::Skipped) {
                continue;
            }
            let stands_for = self.stands_for(row);
            let template = self.template(stands_for).unwrap_or(template);
            let output = self.output(stands_for, template).map_or_else(json::empty_object, Cow::into_owned);
            match outputs.iter_mut().find(|(name, _)| *name == row.node) {
                // A later attempt at the same task.
                Some(entry) => entry.1 = output,
                None => outputs.push((row.node.clone(), output)),
            }
        }
        Payload::Object(outputs.into())
    }
}

/// The case that a switch has chosen.
fn case_of(task: &TaskRecord) -> Option<String> {
    let output = task.output.as_ref()?;
    let case = ["case", "selectedCase", "result"].iter().find_map(|key| output.member(key));
    Some(json::plain(&case.unwrap_or_else(|| output.clone())))
}

/// What a switch shows: its input, the case, and whether anything followed from it.
fn switched(task: &TaskRecord, template: &TaskTemplate, given: &Payload) -> Payload {
    let Some(case) = case_of(task) else { return given.clone() };
    let definition = &template.task;
    let chosen = definition.decision_cases.get(&case);
    let chosen = chosen.filter(|tasks| !tasks.is_empty() || template.kind == TaskType::Switch);
    let has_children = !chosen.unwrap_or(&definition.default_case).is_empty();
    let given = if template.kind == TaskType::Decision { json::empty_object() } else { given.clone() };
    let children = has_children.then(|| ("hasChildren", Payload::string("true")));
    json::with(&given, [("case", Payload::string(&case))].into_iter().chain(children))
}

/// What a sub-workflow yielded, with its id.
fn of_sub_workflow(task: &TaskRecord) -> Payload {
    let own = task.output.clone().filter(json::is_object).unwrap_or_else(json::empty_object);
    match task.child {
        Some(child) => {
            let id = ("subWorkflowId".into(), Payload::string(&child.to_string()));
            let rest = own.entries().unwrap_or_default();
            let rest = rest.into_iter().filter(|(key, _)| &**key != "subWorkflowId");
            Payload::Object(std::iter::once(id).chain(rest).collect())
        }
        None => own,
    }
}
