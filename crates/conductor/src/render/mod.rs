//! Writes runs and tasks as Conductor's clients know them, from their rows.
//!
//! A [`Renderer`] is made once for a frozen definition and shared by all of its runs: what is the same for all tasks of a
//! node is written then. [`Renderer::polled`] writes the one task that a worker gets; [`Renderer::run`] brings the rows of
//! a run together, and the [`RunView`] writes it and its tasks. Rows hold only what does not follow from others; what a
//! join or a loop yielded is composed here.

mod answer;
mod composed;
mod masked;
mod object;
mod status;
mod summary;
mod task;
mod template;
mod view;
mod workflow;

use std::collections::HashMap;
use std::sync::Arc;

use partitur_model::record::{RunRecord, ServerOptions, TaskRecord};

use crate::check::first_dynamic_fork;
use crate::freeze::TaskDefs;
use crate::wire::{Object, WorkflowDef, WorkflowTask};
use crate::{TaskType, json};
use template::TaskTemplate;
pub(crate) use template::names;
use view::came_to;

pub use answer::Answer;
pub use status::{Standing, labelled_status, reason, task_status, workflow_status};
pub use task::reference_name;
pub use view::RunView;

/// Writes the runs and tasks of one frozen definition.
pub struct Renderer {
    def: Arc<WorkflowDef>,
    /// The definition as text.
    text: String,
    /// By reference name.
    templates: HashMap<String, TaskTemplate>,
    first_dynamic: Option<String>,
    /// For tasks that only a value names.
    defs: Arc<dyn TaskDefs>,
}

impl Renderer {
    /// For a definition as its runs keep it; see [`crate::freeze`].
    pub fn new(def: Arc<WorkflowDef>, defs: Arc<dyn TaskDefs>) -> Renderer {
        let mut templates = HashMap::new();
        add_templates(&def.tasks, &def.name, &mut templates);
        let text = serde_json::to_string(&*def).expect("a definition is made of text and numbers");
        let first_dynamic = first_dynamic_fork(&def.tasks).map(str::to_owned);
        Renderer { def, text: crate::json::compact(&text), templates, first_dynamic, defs }
    }

    /// The definition.
    pub fn definition(&self) -> &Arc<WorkflowDef> {
        &self.def
    }

    /// A run with all of its rows.
    pub fn run<'a>(&'a self, run: &'a RunRecord, tasks: &'a [TaskRecord]) -> RunView<'a> {
        RunView::new(self, run, tasks)
    }

    /// Appends the task that a worker of this type was handed.
    pub fn polled(
        &self,
        task: &TaskRecord,
        task_type: &str,
        options: Option<&ServerOptions>,
        out: &mut String,
    ) {
        match self.templates.get(&*task.node).filter(|template| template.task_type == task_type) {
            Some(template) => task::polled(task, template, options, out),
            None => task::polled(task, &self.unforeseen(task, task_type), options, out),
        }
    }

    /// The template of a worker's task that only a value has named: of a dynamic fork, or what a DYNAMIC came to.
    fn unforeseen(&self, row: &TaskRecord, task_type: &str) -> TaskTemplate {
        let given = row.served.as_ref().map_or_else(json::empty_object, |served| served.input.clone());
        let mut task = WorkflowTask {
            name: task_type.to_owned(),
            task_reference_name: row.node.to_string(),
            input_parameters: Object(given),
            ..WorkflowTask::default()
        };
        crate::freeze::freeze_task(&mut task, &*self.defs);
        let mut template = TaskTemplate::new(&task, &self.def.name, None);
        let dynamic = self.templates.get(&*row.node).filter(|known| known.kind == TaskType::Dynamic);
        if let Some(dynamic) = dynamic {
            let shown = came_to(&dynamic.task, &task);
            template.constant = TaskTemplate::shown_as(&task, &shown, &self.def.name);
        }
        template
    }
}

/// Adds the templates of tasks and of all tasks in them.
fn add_templates(tasks: &[WorkflowTask], workflow: &str, templates: &mut HashMap<String, TaskTemplate>) {
    let mut before: Option<&WorkflowTask> = None;
    for task in tasks {
        let opener = before.map(|before| before.task_reference_name.as_str());
        let template = TaskTemplate::new(task, workflow, opener);
        templates.insert(task.task_reference_name.clone(), template);
        for (_, children) in task.children() {
            add_templates(children, workflow, templates);
        }
        before = Some(task);
    }
}
