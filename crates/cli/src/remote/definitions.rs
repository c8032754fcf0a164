//! What is uploaded: definitions from files, in the forms in which people keep them, checked before anything is sent.
//!
//! A file holds one definition, a list of them, or an object with `workflowDef`, `workflowDefs` and `taskDefs`. What is
//! sent are the bytes of the file.

use std::path::{Path, PathBuf};

use partitur_conductor::check;
use partitur_conductor::wire::{self, TaskDef, ValidationError, WorkflowDef};
use partitur_formats::{Faults, places, render};
use partitur_model::{Fault, Place};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

use super::given::text_of;
use super::told::Told as _;
use crate::document::tally;
use crate::failure::Failure;
use crate::ink::Colour;

/// Something is wrong with a definition of Conductor's.
const FAULTY: &str = "P0140";

/// What servers note beside a definition.
const NOTED: [&str; 7] =
    ["createTime", "updateTime", "createdBy", "updatedBy", "ownerApp", "updatedTime", "ownerEmail"];

/// What a definition defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Workflow,
    Task,
    Handler,
    Schedule,
}

/// A definition from a file.
#[derive(Clone, Debug)]
pub struct Definition {
    /// What it defines.
    pub kind: Kind,
    /// Where it came from.
    pub file: String,
    /// Where in the file: `workflowDefs[2]`.
    place: String,
    /// As it stands there.
    pub text: String,
    /// The same, to look inside.
    pub value: Value,
}

impl Kind {
    /// What people call it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Workflow => "workflow",
            Kind::Task => "task",
            Kind::Handler => "handler",
            Kind::Schedule => "schedule",
        }
    }
}

impl Definition {
    /// Its name.
    pub fn name(&self) -> &str {
        self.value.text("name")
    }

    /// Its version, if such definitions have any.
    pub fn version(&self) -> Option<i64> {
        match self.kind {
            Kind::Workflow => Some(self.value.get("version").and_then(Value::as_i64).unwrap_or(1)),
            Kind::Task | Kind::Handler | Kind::Schedule => None,
        }
    }

    /// Whether the server has it already.
    pub fn is_like(&self, theirs: &Value) -> bool {
        let theirs_text = theirs.to_string();
        match self.kind {
            Kind::Workflow => same::<WorkflowDef>(&self.text, &theirs_text),
            Kind::Task => same::<TaskDef>(&self.text, &theirs_text),
            Kind::Handler | Kind::Schedule => is_part(&self.value, theirs),
        }
    }

    fn faults(&self) -> Vec<ValidationError> {
        match self.kind {
            Kind::Workflow => self.checked(check::workflow),
            Kind::Task => self.checked(check::task_def),
            Kind::Handler => self.checked(check::event_handler),
            Kind::Schedule => {
                let missing = |name: &&str| self.value.get(*name).is_none_or(Value::is_null);
                let wanted = ["name", "startWorkflowRequest"].into_iter().filter(missing);
                wanted
                    .map(|name| ValidationError::new(&self.place, format!("a schedule needs `{name}`")))
                    .collect()
            }
        }
    }

    fn checked<T: DeserializeOwned>(
        &self,
        check: impl FnOnce(&T, &str) -> Vec<ValidationError>,
    ) -> Vec<ValidationError> {
        match wire::read::<T>(self.text.as_bytes()) {
            Ok(definition) => check(&definition, &self.place),
            Err(bad) => {
                // The place says it in the words of the file.
                let message =
                    bad.message.rsplit_once(" at line ").map_or(&*bad.message, |(message, _)| message);
                vec![ValidationError::new(below(&self.place, &bad.path), message)]
            }
        }
    }
}

/// Reads the definitions of all files.
///
/// # Errors
/// Everything that is wrong with any of them, unless only their form matters.
pub fn read(files: &[PathBuf], kind: Kind, check: bool, colour: Colour) -> Result<Vec<Definition>, Failure> {
    let mut found = Vec::new();
    let mut said = String::new();
    let mut all = Vec::new();
    for path in files {
        match read_file(path, kind, check) {
            Ok(definitions) => found.extend(definitions),
            Err(Refused::Unreadable(failure)) => return Err(failure),
            Err(Refused::Faulty(faults)) => {
                let Faults { faults, places } = *faults;
                let colour = colour.for_stream(&std::io::stderr());
                said += &format!("{}\n", render(&faults, &places, colour));
                all.extend(faults);
            }
        }
    }
    if all.is_empty() { Ok(found) } else { Err(Failure::Faulty(format!("{said}{}\n", tally(&all)))) }
}

enum Refused {
    Unreadable(Failure),
    Faulty(Box<Faults>),
}

fn read_file(path: &Path, kind: Kind, check: bool) -> Result<Vec<Definition>, Refused> {
    let text = text_of(path).map_err(Refused::Unreadable)?;
    let shown = if path == Path::new("-") { "standard input".into() } else { path.display().to_string() };
    // The reader of places takes the language from the name, and definitions are JSON whatever their file is called.
    let named = if shown.ends_with(".json") { shown.clone() } else { format!("{shown}.json") };
    let (places, text) =
        places(&named, text.as_bytes()).map_err(|faults| Refused::Faulty(Box::new(faults)))?;
    let definitions = parts(&text, kind).map(|parts| {
        let definition = |(kind, place, raw): (Kind, String, &RawValue)| Definition {
            kind,
            file: shown.clone(),
            place,
            text: raw.get().to_owned(),
            value: serde_json::from_str(raw.get()).unwrap_or_default(),
        };
        parts.into_iter().map(definition).collect::<Vec<_>>()
    });
    let faults = match &definitions {
        Ok(definitions) if check => definitions.iter().flat_map(Definition::faults).collect(),
        Ok(_) => Vec::new(),
        Err(fault) => vec![fault.clone()],
    };
    match definitions {
        Ok(definitions) if faults.is_empty() => Ok(definitions),
        Ok(_) | Err(_) => {
            let fault = |error: ValidationError| Fault::error(FAULTY, Place(error.path), error.message);
            let faults = faults.into_iter().map(fault).collect();
            Err(Refused::Faulty(Box::new(Faults { faults, places })))
        }
    }
}

type Part<'t> = (Kind, String, &'t RawValue);

/// What stands in a text, and where.
fn parts(text: &str, kind: Kind) -> Result<Vec<Part<'_>>, ValidationError> {
    let wrong = |error: serde_json::Error| ValidationError::new("", error.to_string());
    match text.trim_start().as_bytes().first() {
        Some(b'[') => Ok(listed("", kind, serde_json::from_str(text).map_err(wrong)?)),
        Some(b'{') => {
            let everything: Everything<'_> = serde_json::from_str(text).map_err(wrong)?;
            let found = everything.parts();
            let fits = matches!(kind, Kind::Workflow | Kind::Task);
            if fits && !found.is_empty() {
                return Ok(found);
            }
            Ok(vec![(kind, String::new(), serde_json::from_str(text).map_err(wrong)?)])
        }
        Some(_) | None => {
            let word = kind.word();
            Err(ValidationError::new("", format!("a file holds one {word} definition, or a list of them")))
        }
    }
}

/// The form with everything in it.
#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Everything<'t> {
    #[serde(borrow)]
    workflow_def: Option<&'t RawValue>,
    #[serde(borrow)]
    workflow_defs: Vec<&'t RawValue>,
    #[serde(borrow)]
    task_defs: Vec<&'t RawValue>,
}

impl<'t> Everything<'t> {
    fn parts(self) -> Vec<Part<'t>> {
        // Tasks first: what is started right after the upload finds them.
        let mut parts = listed("taskDefs", Kind::Task, self.task_defs);
        parts.extend(self.workflow_def.map(|def| (Kind::Workflow, "workflowDef".to_owned(), def)));
        parts.extend(listed("workflowDefs", Kind::Workflow, self.workflow_defs));
        parts
    }
}

fn listed<'t>(list: &str, kind: Kind, raws: Vec<&'t RawValue>) -> Vec<Part<'t>> {
    raws.into_iter().enumerate().map(|(at, raw)| (kind, format!("{list}[{at}]"), raw)).collect()
}

fn below(place: &str, path: &str) -> String {
    match (place, path) {
        (place, "." | "") => place.to_owned(),
        ("", path) => path.to_owned(),
        (place, path) => format!("{place}.{path}"),
    }
}

/// Whether two texts mean the same definition: defaults are filled in, and what servers note is left out.
fn same<T: DeserializeOwned + serde::Serialize>(ours: &str, theirs: &str) -> bool {
    let normal = |text: &str| {
        let definition = wire::read::<T>(text.as_bytes()).ok()?;
        let mut value = serde_json::to_value(definition).ok()?;
        strip(&mut value);
        Some(value)
    };
    let (ours, theirs) = (normal(ours), normal(theirs));
    ours.is_some() && ours == theirs
}

/// Removes what servers note, and the definitions that they put into the tasks of others.
fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            NOTED.iter().for_each(|name| drop(members.remove(*name)));
            members.remove("taskDefinition");
            members.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether everything that we say is said there, too.
fn is_part(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => ours
            .iter()
            .filter(|(name, _)| !NOTED.contains(&name.as_str()))
            .all(|(name, value)| is_part(value, theirs.get(name).unwrap_or(&Value::Null))),
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| is_part(ours, theirs))
        }
        (ours, theirs) => ours == theirs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: &str = r#"{"name":"pack","retryCount":2}"#;
    const FLOW: &str = r#"{"name":"w","tasks":[{"name":"n","taskReferenceName":"n","type":"NOOP"}]}"#;

    fn names(text: &str, kind: Kind) -> Vec<(Kind, String)> {
        parts(text, kind).unwrap().into_iter().map(|(kind, place, _)| (kind, place)).collect()
    }

    #[test]
    fn definitions_are_found_in_every_form() {
        assert_eq!(names(FLOW, Kind::Workflow), [(Kind::Workflow, String::new())]);
        assert_eq!(names(&format!("[{TASK}]"), Kind::Task), [(Kind::Task, "[0]".to_owned())]);
        let all = format!(r#"{{"workflowDefs":[{FLOW}],"taskDefs":[{TASK},{TASK}]}}"#);
        let found = names(&all, Kind::Workflow);
        assert_eq!(found[2], (Kind::Workflow, "workflowDefs[0]".to_owned()));
        assert_eq!(found.len(), 3);
        assert!(parts("7", Kind::Task).is_err() && parts("", Kind::Task).is_err());
    }

    #[test]
    fn a_definition_is_the_same_whatever_the_server_notes_and_fills_in() {
        assert!(same::<TaskDef>(
            TASK,
            r#"{"name":"pack","retryCount":2,"updateTime":7,"retryDelaySeconds":60}"#
        ));
        assert!(!same::<TaskDef>(TASK, r#"{"name":"pack","retryCount":3}"#));
        let with = r#"{"name":"w","version":1,"createTime":3,"tasks":[{"name":"n","taskReferenceName":"n","type":"NOOP",
            "taskDefinition":{"name":"n"}}]}"#;
        assert!(same::<WorkflowDef>(FLOW, with));
        assert!(is_part(
            &serde_json::json!({"name": "h", "actions": [{"action": "start_workflow"}]}),
            &serde_json::json!({"name": "h", "active": false, "actions": [{"action": "start_workflow", "x": 1}]}),
        ));
    }
}
