//! What is wrong with a file, whose task it is, and what would mend it.

use partitur_model::Fault;

use super::edit::Edit;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What, where, and what to do.
    pub fault: Fault,
    /// In which tag; empty if it is in none.
    pub tag: String,
    /// Whose task, as `5.2`; empty if it is nobody's.
    pub task: String,
    /// What would mend it.
    pub edit: Option<Edit>,
}

impl Finding {
    pub(super) fn new(fault: Fault, tag: &str, task: impl Into<String>) -> Finding {
        Finding { fault, tag: tag.to_owned(), task: task.into(), edit: None }
    }

    /// Adds what would mend it.
    pub(super) fn edit(mut self, edit: Edit) -> Finding {
        self.edit = Some(edit);
        self
    }
}
