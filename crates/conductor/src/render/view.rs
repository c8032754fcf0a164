//! A run with all of its rows, brought together.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};

use partitur_model::definition::Label;
use partitur_model::record::{RunRecord, ScopeRef, TaskRecord};
use partitur_model::{Payload, TaskSeq};

use super::Renderer;
use super::masked::masked;
use super::status::{Standing, is_seen, task_status};
use super::task::{self, Shown};
use super::template::TaskTemplate;
use crate::TaskType;
use crate::lower::expanded;
use crate::wire::{TaskStatus, WorkflowTask};

/// A run with all of its rows.
pub struct RunView<'a> {
    pub(super) renderer: &'a Renderer,
    pub(super) run: &'a RunRecord,
    pub(super) tasks: &'a [TaskRecord],
    by_seq: HashMap<TaskSeq, &'a TaskRecord>,
    /// The last attempt at each node of each scope.
    latest: HashMap<(Option<ScopeRef>, &'a str), &'a TaskRecord>,
    /// The rows in each branch and iteration.
    members: BTreeMap<TaskSeq, BTreeMap<u32, Vec<&'a TaskRecord>>>,
    /// What dynamic forks and dynamic tasks came to, by container, once somebody asks.
    expansions: HashMap<TaskSeq, OnceCell<Expansion>>,
}

/// What a container came to.
pub(super) struct Expansion {
    /// The branches, in order.
    pub tasks: Vec<WorkflowTask>,
    /// Of each branch, with all tasks in it, by reference name; made once somebody asks for one of its tasks.
    templates: Vec<OnceCell<HashMap<String, TaskTemplate>>>,
}

impl<'a> RunView<'a> {
    pub(super) fn new(renderer: &'a Renderer, run: &'a RunRecord, tasks: &'a [TaskRecord]) -> RunView<'a> {
        let mut view = RunView {
            renderer,
            run,
            tasks,
            by_seq: HashMap::with_capacity(tasks.len()),
            latest: HashMap::with_capacity(tasks.len()),
            members: BTreeMap::new(),
            expansions: HashMap::new(),
        };
        for task in tasks {
            view.by_seq.insert(task.seq, task);
            view.latest.insert((task.scope, &*task.node), task);
            if let Some(scope) = task.scope {
                view.members.entry(scope.container).or_default().entry(scope.index).or_default().push(task);
                view.expansions.entry(scope.container).or_default();
            }
            view.expansions.entry(task.seq).or_default();
        }
        view
    }

    /// The tasks that are seen, by number.
    pub fn tasks(&self) -> impl Iterator<Item = (&'a TaskRecord, TaskStatus)> + '_ {
        // What was left out by hand is counted before all others.
        let uncounted = |task: &&TaskRecord| task.counted() == 0;
        let tasks = self.tasks.iter().filter(uncounted);
        let tasks = tasks.chain(self.tasks.iter().filter(move |task| !uncounted(task)));
        tasks.filter_map(|task| {
            let template = self.template(task)?;
            self.is_seen(task, template).then(|| (task, self.status(task, template)))
        })
    }

    /// The task of this number.
    pub fn task(&self, seq: TaskSeq) -> Option<&'a TaskRecord> {
        self.by_seq.get(&seq).copied()
    }

    /// The last attempt at the first task of this reference name, with or without the suffix of an iteration.
    pub fn task_named(&self, reference: &str) -> Option<&'a TaskRecord> {
        let exact = |task: &&TaskRecord| self.reference(task) == reference;
        let plain = |task: &&TaskRecord| &*task.node == reference;
        let found = self.tasks.iter().rev().find(exact);
        found.or_else(|| self.tasks.iter().rev().find(plain))
    }

    /// What the wire calls a task.
    pub fn reference(&self, task: &'a TaskRecord) -> Cow<'a, str> {
        task::reference_name(&task.node, task.scope.map(|_| &*task.path))
    }

    /// Appends a task; nothing if it is not seen.
    pub fn write_task(&self, task: &'a TaskRecord, out: &mut String) {
        let Some(template) = self.template(task) else { return };
        let left_out = task.served.as_ref().is_some_and(|served| served.skipped_by_hand);
        let (input, output) = if left_out {
            (self.given(task), task.output.as_ref().map(Cow::Borrowed))
        } else {
            (self.input(task, template), self.output(task, template))
        };
        let constant = if left_out {
            Cow::Owned(template.left_out())
        } else {
            Cow::Borrowed(template.constant.as_str())
        };
        let shown = Shown {
            constant,
            input: self.masked(&input),
            output: output.as_ref().map(|output| self.masked(output)),
            status: self.status(task, template),
            reason: self.reason(task, template),
        };
        task::write(task, template, &shown, task::options(self.run), out);
    }

    /// A value of the run without what nobody is shown (`maskedFields`).
    pub fn masked<'p>(&self, payload: &'p Payload) -> Cow<'p, Payload> {
        masked(payload, &self.renderer.def.masked_fields)
    }

    fn is_seen(&self, task: &TaskRecord, template: &TaskTemplate) -> bool {
        is_seen(&Standing::from(task), &template.kind)
    }

    /// What searches call the task; nothing if it is no task of the definition.
    pub fn label(&self, task: &TaskRecord) -> Option<Label> {
        let template = self.template(task)?;
        let (task_type, definition) = (template.task_type.clone(), template.def_name.clone());
        Some(Label { task_type, definition, optional: template.task.optional })
    }

    /// What is known of the node of a row; nothing if it is no task of the definition.
    pub(super) fn template(&self, task: &TaskRecord) -> Option<&TaskTemplate> {
        let mut scope = task.scope;
        while let Some(ScopeRef { container, index }) = scope {
            let container = self.by_seq.get(&container)?;
            let template = self.branch_templates(container, index).and_then(|branch| branch.get(&*task.node));
            if template.is_some() {
                return template;
            }
            scope = container.scope;
        }
        self.renderer.templates.get(&*task.node)
    }

    /// What a dynamic fork or dynamic task came to; nothing for all other tasks.
    pub(super) fn expansion(&self, container: &TaskRecord) -> Option<&Expansion> {
        let template = match container.scope {
            None => self.renderer.templates.get(&*container.node)?,
            Some(_) => self.template(container)?,
        };
        if !matches!(template.kind, TaskType::ForkJoinDynamic | TaskType::Dynamic) {
            return None;
        }
        let cell = self.expansions.get(&container.seq)?;
        Some(cell.get_or_init(|| self.expand(container, template)))
    }

    fn expand(&self, container: &TaskRecord, template: &TaskTemplate) -> Expansion {
        let renderer = self.renderer;
        let is_first = renderer.first_dynamic.as_deref() == Some(&*container.node);
        let input = container.items.clone().unwrap_or_default();
        let tasks = expanded(&template.task, is_first, &input, &*renderer.defs).unwrap_or_default();
        let templates = tasks.iter().map(|_| OnceCell::new()).collect();
        Expansion { tasks, templates }
    }

    /// The templates of one branch of a container, if it is one that came to its branches by a value.
    fn branch_templates(&self, container: &TaskRecord, index: u32) -> Option<&HashMap<String, TaskTemplate>> {
        let expansion = self.expansion(container)?;
        let (task, cell) = (expansion.tasks.get(index as usize)?, expansion.templates.get(index as usize)?);
        Some(cell.get_or_init(|| {
            let mut templates = HashMap::new();
            let workflow = &self.renderer.def.name;
            super::add_templates(std::slice::from_ref(task), workflow, &mut templates);
            if let Some(dynamic) = self.template(container).filter(|made| made.kind == TaskType::Dynamic) {
                show_as_dynamic(task, &dynamic.task, workflow, &mut templates);
            }
            templates
        }))
    }

    pub(super) fn status(&self, task: &TaskRecord, template: &TaskTemplate) -> TaskStatus {
        let status = task_status(task, &template.kind, template.task.optional);
        let joined_errors = template.kind == TaskType::Join && task.error.is_some();
        if status == TaskStatus::Completed && joined_errors {
            TaskStatus::CompletedWithErrors
        } else {
            status
        }
    }

    /// The last attempt at a node in a scope.
    pub(super) fn latest(&self, scope: Option<ScopeRef>, node: &str) -> Option<&'a TaskRecord> {
        self.latest.get(&(scope, node)).copied()
    }

    /// The rows of each branch or iteration of a container, in order.
    pub(super) fn members(&self, container: TaskSeq) -> impl Iterator<Item = (u32, &[&'a TaskRecord])> {
        let parts = self.members.get(&container).into_iter().flatten();
        parts.map(|(&index, rows)| (index, rows.as_slice()))
    }

    /// The rows of one branch or iteration of a container.
    pub(super) fn part(&self, container: TaskSeq, index: u32) -> &[&'a TaskRecord] {
        self.members.get(&container).and_then(|parts| parts.get(&index)).map_or(&[], Vec::as_slice)
    }

    /// The input as it is kept.
    pub(super) fn given(&self, task: &'a TaskRecord) -> Cow<'a, Payload> {
        match &task.served {
            Some(served) => Cow::Borrowed(&served.input),
            None => Cow::Owned(Payload::Null),
        }
    }
}

/// The task that a DYNAMIC came to is shown with the definition of that, under its own name.
fn show_as_dynamic(
    task: &WorkflowTask,
    dynamic: &WorkflowTask,
    workflow: &str,
    templates: &mut HashMap<String, TaskTemplate>,
) {
    if let Some(template) = templates.get_mut(&task.task_reference_name) {
        template.constant = TaskTemplate::shown_as(task, &came_to(dynamic, task), workflow);
    }
}

/// A DYNAMIC with the name and the definition of the task that it came to.
pub(super) fn came_to(dynamic: &WorkflowTask, task: &WorkflowTask) -> WorkflowTask {
    let (name, task_definition) = (task.name.clone(), task.task_definition.clone());
    WorkflowTask { name, task_definition, ..dynamic.clone() }
}
