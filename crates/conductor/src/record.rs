//! Definitions as rows: one file of JSON, equal for equal definitions.

use partitur_model::definition::Definition;
use partitur_model::id::DefinitionId;
use partitur_model::record::{DefinitionRecord, SourceFile, SourceFormat};

use crate::json;
use crate::lower;
use crate::wire::{self, BadJson, ValidationError, WorkflowDef};

/// The name of the one file.
const PATH: &str = "workflow.json";

/// A frozen definition as it is stored. Equal definitions have equal ids, whatever their white space and the order of
/// their properties were.
pub fn definition_record(def: &WorkflowDef) -> DefinitionRecord {
    record_of(def, None)
}

/// As [`definition_record`], with other files beside it.
pub(crate) fn record_of(def: &WorkflowDef, beside: impl IntoIterator<Item = SourceFile>) -> DefinitionRecord {
    let main = SourceFile { path: PATH.to_owned(), text: stored(def).into() };
    let files: Vec<SourceFile> = std::iter::once(main).chain(beside).collect();
    let mut hash = blake3::Hasher::new();
    hash.update(b"cond");
    for part in files.iter().flat_map(|file| [file.path.as_str(), &file.text]) {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let mut first = [0; 16];
    first.copy_from_slice(&hash.finalize().as_bytes()[..16]);
    DefinitionRecord {
        id: DefinitionId(u128::from_be_bytes(first)),
        name: def.name.clone(),
        format: SourceFormat::Conductor,
        files,
    }
}

/// Definitions as text: equal for equal ones.
pub(crate) fn stored(definitions: &impl serde::Serialize) -> String {
    json::compact(&serde_json::to_string(definitions).expect("definitions are made of text and numbers"))
}

/// The definition that is stored.
///
/// # Errors
/// The record is not one of [`definition_record`].
pub fn read_workflow_def(record: &DefinitionRecord) -> Result<WorkflowDef, BadJson> {
    let text = record.files.first().map_or("", |file| &file.text);
    wire::read(text.as_bytes())
}

/// What the stored definition comes to.
///
/// # Errors
/// What a newer reader finds wrong with it.
pub fn read_record(record: &DefinitionRecord) -> Result<Definition, Vec<ValidationError>> {
    let def = read_workflow_def(record);
    lower(&def.map_err(|error| vec![ValidationError::new(error.path, error.message)])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> DefinitionRecord {
        definition_record(&wire::read(text.as_bytes()).unwrap())
    }

    const TASKS: &str = r#""tasks":[{"name":"a","taskReferenceName":"a","inputParameters":{"x":[1, 2.50]}}]"#;

    #[test]
    fn equal_definitions_have_equal_ids_whatever_their_spelling() {
        let one = record(&format!(r#"{{"name":"w","version":1,{TASKS}}}"#));
        let other = record(&format!(
            r#"{{ {} , "version": "1", "name":"w", "unknown":7}}"#,
            TASKS.replace(' ', "  ")
        ));
        assert_eq!(one, other);
        assert_ne!(one.id, record(&format!(r#"{{"name":"w","version":2,{TASKS}}}"#)).id);
    }

    #[test]
    fn a_record_is_read_back_as_it_was() {
        let def: WorkflowDef = wire::read(format!(r#"{{"name":"w",{TASKS}}}"#).as_bytes()).unwrap();
        let back = read_workflow_def(&definition_record(&def)).unwrap();
        assert_eq!(definition_record(&back), definition_record(&def));
        assert_eq!(read_record(&definition_record(&def)).unwrap().name, "w");
    }
}
