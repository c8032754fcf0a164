//! Definitions that come together in one document, for whoever runs them without a server: the workflow that is run, those
//! that it runs in turn, and the definitions of their tasks.
//!
//! A document is a workflow definition, a list of them of which the first is run, or an object with `workflowDef` or
//! `workflowDefs`, and `taskDefs`.

use std::sync::Arc;

use partitur_model::definition::Definition;
use partitur_model::record::{DefinitionRecord, SourceFile};
use serde::{Deserialize, Serialize};

use crate::record::{record_of, stored};
use crate::wire::{self, BadJson, TaskDef, ValidationError, WorkflowDef, WorkflowTask};
use crate::{TaskDefs, TaskType, check, freeze, lower_with};

/// Under this name the definitions are stored beside the one that is run.
const BESIDE: &str = "definitions.json";

/// Definitions that came together.
#[derive(Debug)]
pub struct Bundle {
    /// As it is run.
    main: Arc<WorkflowDef>,
    /// Of which the first is run.
    workflows: Vec<Placed>,
    tasks: Vec<TaskDef>,
    /// All of them as they are stored; nothing if there is only one.
    beside: Option<Arc<str>>,
}

/// A definition, and where in the document it stands.
#[derive(Clone, Debug)]
struct Placed {
    def: Arc<WorkflowDef>,
    place: String,
}

/// The form with everything in it.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Everything {
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow_def: Option<WorkflowDef>,
    workflow_defs: Vec<WorkflowDef>,
    task_defs: Vec<TaskDef>,
}

/// Why a definition of a document cannot be run here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Something is wrong with it.
    Fault(ValidationError),
    /// A task is work for workers, who ask a server for it, or for the server itself.
    NeedsWorker {
        /// Where it stands.
        place: String,
        /// Its reference name.
        task: String,
        /// What workers would have to do.
        work: String,
    },
    /// It runs a workflow that is not in the document.
    Missing {
        /// Where it is named.
        place: String,
        /// Which.
        workflow: String,
        /// In which version.
        version: Option<u32>,
    },
}

impl Bundle {
    /// Reads a document.
    ///
    /// # Errors
    /// It is no JSON, or not of these forms.
    pub fn read(text: &str) -> Result<Bundle, BadJson> {
        let (workflows, tasks) = match text.trim_start().as_bytes().first() {
            Some(b'[') => {
                let defs: Vec<WorkflowDef> = wire::read(text.as_bytes())?;
                (placed("", defs), Vec::new())
            }
            Some(_) | None => match wire::read::<Everything>(text.as_bytes())? {
                Everything { workflow_def: None, workflow_defs, .. } if workflow_defs.is_empty() => {
                    let def: WorkflowDef = wire::read(text.as_bytes())?;
                    (vec![Placed { def: def.into(), place: String::new() }], Vec::new())
                }
                Everything { workflow_def, workflow_defs, task_defs } => {
                    let place = "workflowDef".to_owned();
                    let main = workflow_def.map(|def| Placed { def: def.into(), place });
                    (main.into_iter().chain(placed("workflowDefs", workflow_defs)).collect(), task_defs)
                }
            },
        };
        let main = workflows.first().map(|main: &Placed| main.def.clone());
        let main = main.ok_or_else(|| BadJson {
            path: ".".to_owned(),
            message: "there is no workflow definition".to_owned(),
        })?;
        Ok(Bundle::new(main, workflows, tasks))
    }

    fn new(main: Arc<WorkflowDef>, workflows: Vec<Placed>, tasks: Vec<TaskDef>) -> Bundle {
        let is_alone = workflows.len() <= 1 && tasks.is_empty();
        let everything = || Everything {
            workflow_def: None,
            workflow_defs: workflows.iter().map(|placed| WorkflowDef::clone(&placed.def)).collect(),
            task_defs: tasks.clone(),
        };
        let beside = (!is_alone).then(|| stored(&everything()).into());
        Bundle { main, workflows, tasks, beside }
    }

    /// The definitions among which a stored one is run.
    ///
    /// # Errors
    /// The record is not one of [`Bundle::record`].
    pub fn of_record(record: &DefinitionRecord) -> Result<Bundle, BadJson> {
        let main = Arc::new(crate::read_workflow_def(record)?);
        match record.files.iter().find(|file| file.path == BESIDE) {
            Some(file) => {
                let Everything { workflow_defs, task_defs, .. } = wire::read(file.text.as_bytes())?;
                Ok(Bundle::new(main, placed("workflowDefs", workflow_defs), task_defs))
            }
            None => {
                let place = Placed { def: main.clone(), place: String::new() };
                Ok(Bundle::new(main, vec![place], Vec::new()))
            }
        }
    }

    /// The workflow that is run.
    pub fn main(&self) -> &Arc<WorkflowDef> {
        &self.main
    }

    /// A workflow; the one with the highest version if none is named.
    pub fn workflow(&self, name: &str, version: Option<u32>) -> Option<&Arc<WorkflowDef>> {
        let named = self.workflows.iter().map(|placed| &placed.def).filter(|def| def.name == name);
        match version.filter(|&version| version > 0) {
            Some(version) => named.into_iter().find(|def| def.version == version),
            None => named.max_by_key(|def| def.version),
        }
    }

    /// The same definitions, of which another one is run.
    pub fn with_main(&self, main: Arc<WorkflowDef>) -> Bundle {
        Bundle {
            main,
            workflows: self.workflows.clone(),
            tasks: self.tasks.clone(),
            beside: self.beside.clone(),
        }
    }

    /// The workflow that is run, frozen, and the others beside it, as they are stored.
    pub fn record(&self) -> DefinitionRecord {
        let beside = self.beside.iter().map(|text| SourceFile { path: BESIDE.into(), text: text.clone() });
        record_of(&freeze(&self.main, self), beside)
    }

    /// What the workflow that is run comes to.
    ///
    /// # Errors
    /// Everything for which it cannot be run, at once.
    pub fn lower(self: &Arc<Bundle>) -> Result<Definition, Vec<ValidationError>> {
        lower_with(&freeze(&self.main, &**self), &(self.clone() as Arc<dyn TaskDefs>))
    }

    /// Everything for which a definition in here cannot be run without a server.
    pub fn obstacles(&self) -> Vec<Obstacle> {
        let mut found = Vec::new();
        for Placed { def, place } in &self.workflows {
            let faults = check::workflow(def, place);
            found.extend(faults.into_iter().map(Obstacle::Fault));
            self.look_at(&def.tasks, &joined(place, "tasks"), &mut found);
        }
        for (at, def) in self.tasks.iter().enumerate() {
            let faults = check::task_def(def, &format!("taskDefs[{at}]"));
            found.extend(faults.into_iter().map(Obstacle::Fault));
        }
        found
    }

    fn look_at(&self, tasks: &[WorkflowTask], place: &str, found: &mut Vec<Obstacle>) {
        for (at, task) in tasks.iter().enumerate() {
            let place = format!("{place}[{at}]");
            let work = match task.task_type() {
                TaskType::Simple => Some(task.name.clone()),
                TaskType::Custom(kind) => Some(kind),
                TaskType::Event | TaskType::PullMessages => task.kind.clone(),
                TaskType::SubWorkflow => {
                    found.extend(self.missing(task, &place));
                    None
                }
                _ => None,
            };
            let name = || task.task_reference_name.clone();
            found.extend(work.map(|work| Obstacle::NeedsWorker { place: place.clone(), task: name(), work }));
            for (step, children) in task.children() {
                self.look_at(children, &format!("{place}{step}"), found);
            }
        }
    }

    /// A workflow that a task names outright, and that is not here.
    fn missing(&self, task: &WorkflowTask, place: &str) -> Option<Obstacle> {
        let params = task.sub_workflow_param.as_ref()?;
        let workflow = params.name.clone().filter(|name| !name.contains("${"))?;
        let version = params.version.as_ref().and_then(|version| crate::json::whole(&version.0));
        let version = version.and_then(|version| u32::try_from(version).ok()).filter(|&version| version > 0);
        let is_there = params.workflow_definition.is_some() || self.workflow(&workflow, version).is_some();
        (!is_there).then(|| Obstacle::Missing {
            place: format!("{place}.subWorkflowParam.name"),
            workflow,
            version,
        })
    }
}

impl TaskDefs for Bundle {
    fn task_def(&self, name: &str) -> Option<TaskDef> {
        self.tasks.iter().find(|def| def.name == name).cloned()
    }

    fn latest_version(&self, workflow: &str) -> Option<u32> {
        self.workflow(workflow, None).map(|def| def.version)
    }

    fn has_workers(&self) -> bool {
        false
    }
}

fn placed(list: &str, defs: Vec<WorkflowDef>) -> Vec<Placed> {
    let placed = |(at, def): (usize, WorkflowDef)| Placed { def: def.into(), place: format!("{list}[{at}]") };
    defs.into_iter().enumerate().map(placed).collect()
}

fn joined(place: &str, member: &str) -> String {
    if place.is_empty() { member.to_owned() } else { format!("{place}.{member}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHILD: &str = r#"{"name":"child","version":2,"tasks":[
        {"name":"n","taskReferenceName":"n","type":"NOOP"}]}"#;

    fn parent(version: &str) -> String {
        format!(
            r#"{{"name":"parent","tasks":[{{"name":"s","taskReferenceName":"s","type":"SUB_WORKFLOW",
                "subWorkflowParam":{{"name":"child"{version}}}}}]}}"#
        )
    }

    fn read(text: &str) -> Bundle {
        Bundle::read(text).unwrap()
    }

    #[test]
    fn the_first_definition_is_run_in_every_form() {
        let forms = [
            parent(""),
            format!("[{}, {CHILD}]", parent("")),
            format!(r#"{{"workflowDef":{},"workflowDefs":[{CHILD}]}}"#, parent("")),
            format!(r#"{{"workflowDefs":[{},{CHILD}],"taskDefs":[{{"name":"n"}}]}}"#, parent("")),
        ];
        for form in &forms {
            assert_eq!(read(form).main().name, "parent", "{form}");
        }
        assert!(Bundle::read("[]").is_err());
        assert!(Bundle::read(r#"{"tasks": 7}"#).is_err());
    }

    #[test]
    fn what_is_stored_is_the_bundle_with_another_main() {
        let bundle = Arc::new(read(&format!("[{}, {CHILD}]", parent(""))));
        let back = Bundle::of_record(&bundle.record()).unwrap();
        assert_eq!(back.record(), bundle.record());
        assert!(back.workflow("child", None).is_some() && back.workflow("child", Some(1)).is_none());
        let child = bundle.with_main(bundle.workflow("child", None).unwrap().clone());
        assert_ne!(child.record().id, bundle.record().id);
        assert_eq!(Bundle::of_record(&child.record()).unwrap().main().name, "child");
        let frozen = &back.main().tasks[0].sub_workflow_param.as_ref().unwrap().version;
        assert_eq!(frozen.as_ref().map(|version| version.0.render()).as_deref(), Some("2"));
    }

    #[test]
    fn a_definition_alone_is_stored_as_a_server_stores_it() {
        let def: WorkflowDef = wire::read(CHILD.as_bytes()).unwrap();
        let frozen = freeze(&def, &crate::NoTaskDefs);
        assert_eq!(read(CHILD).record(), crate::definition_record(&frozen));
    }

    #[test]
    fn faults_of_task_definitions_name_their_places() {
        let bundle = read(&format!(
            r#"{{"workflowDef":{CHILD},"taskDefs":[{{"name":"z"}},{{"name":"a","retryCount":-1}}]}}"#
        ));
        let [Obstacle::Fault(fault)] = &bundle.obstacles()[..] else { panic!("{:?}", bundle.obstacles()) };
        assert_eq!(fault.path, "taskDefs[1].retryCount");
    }

    #[test]
    fn obstacles_name_their_places() {
        let bundle = read(&format!(
            r#"{{"workflowDefs":[{},{{"name":"w","tasks":[{{"name":"mail","taskReferenceName":"m"}}]}}]}}"#,
            parent(r#","version":3"#)
        ));
        let missing = Obstacle::Missing {
            place: "workflowDefs[0].tasks[0].subWorkflowParam.name".to_owned(),
            workflow: "child".to_owned(),
            version: Some(3),
        };
        let worker = Obstacle::NeedsWorker {
            place: "workflowDefs[1].tasks[0]".to_owned(),
            task: "m".to_owned(),
            work: "mail".to_owned(),
        };
        assert_eq!(bundle.obstacles(), [missing, worker]);
        assert_eq!(read(&format!("[{}, {CHILD}]", parent(""))).obstacles(), []);
    }
}
