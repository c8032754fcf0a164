//! A run with all of its rows, brought together.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};

use partitur_model::record::{RunRecord, ScopeRef, TaskOutcome, TaskRecord, TaskState};
use partitur_model::{Payload, TaskSeq};

use super::Renderer;
use super::status::task_status;
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
#[derive(Default)]
pub(super) struct Expansion {
    /// The branches, in order.
    pub tasks: Vec<WorkflowTask>,
    /// By reference name, with all tasks in them.
    templates: HashMap<String, TaskTemplate>,
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
        self.tasks.iter().filter_map(|task| {
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
        match task::iteration_of(task) {
            Some(iteration) => Cow::Owned(format!("{}__{iteration}", task.node)),
            None => Cow::Borrowed(&task.node),
        }
    }

    /// Appends a task; nothing if it is not seen.
    pub fn write_task(&self, task: &'a TaskRecord, out: &mut String) {
        let Some(template) = self.template(task) else { return };
        let shown = Shown {
            input: self.input(task, template),
            output: self.output(task, template),
            status: self.status(task, template),
            reason: self.reason(task, template),
        };
        task::write(task, template, &shown, task::options(self.run), out);
    }

    /// Rows of containers that stand for their only branch, of what was never executed, and of points where edges meet
    /// are nobody's tasks.
    fn is_seen(&self, task: &TaskRecord, template: &TaskTemplate) -> bool {
        let skipped = task.state == TaskState::Ended(TaskOutcome::Skipped);
        let by_hand = task.served.as_ref().is_some_and(|served| served.skipped_by_hand);
        let stands_for_branch = template.kind == TaskType::Dynamic && task.items.is_some();
        !(stands_for_branch || skipped && !by_hand || task.state == TaskState::Blocked)
    }

    /// What is known of the node of a row; nothing if it is no task of the definition.
    pub(super) fn template(&self, task: &TaskRecord) -> Option<&TaskTemplate> {
        let mut scope = task.scope;
        while let Some(ScopeRef { container, .. }) = scope {
            let container = self.by_seq.get(&container)?;
            if let Some(template) =
                self.expansion(container).and_then(|branches| branches.templates.get(&*task.node))
            {
                return Some(template);
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
        let mut tasks = expanded(&template.task, is_first, &input, &*renderer.defs).unwrap_or_default();
        let mut templates = HashMap::new();
        super::add_templates(&tasks, &renderer.def.name, &mut templates);
        if template.kind == TaskType::Dynamic {
            show_as_dynamic(&mut tasks, &renderer.def.name, &mut templates);
        }
        Expansion { tasks, templates }
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

    /// The input as it is kept.
    pub(super) fn given(&self, task: &'a TaskRecord) -> Cow<'a, Payload> {
        match &task.served {
            Some(served) => Cow::Borrowed(&served.input),
            None => Cow::Owned(Payload::Null),
        }
    }
}

/// The task that a DYNAMIC came to is shown under the type of its definition, and has that of what it came to.
fn show_as_dynamic(
    tasks: &mut [WorkflowTask],
    workflow: &str,
    templates: &mut HashMap<String, TaskTemplate>,
) {
    for task in tasks {
        let mut shown = task.clone();
        shown.kind = Some("DYNAMIC".to_owned());
        if let Some(template) = templates.get_mut(&task.task_reference_name) {
            let real = TaskTemplate::new(task, workflow, None);
            let text = serde_json::to_string(task).expect("a task is made of text and numbers");
            let dynamic = serde_json::to_string(&shown).expect("a task is made of text and numbers");
            template.constant =
                real.constant.replace(&crate::json::compact(&text), &crate::json::compact(&dynamic));
        }
    }
}
