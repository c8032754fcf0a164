//! What a server is taught: documents kept by kind, name and version. And what workers write about tasks.

use std::sync::Arc;

use crate::unit::Timestamp;
use crate::value::RawJson;

/// A document of the catalogue, or the news that it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// Its name.
    pub name: Arc<str>,
    /// Its version; 0 for kinds that have none.
    pub version: u32,
    /// The document as it was accepted; `None` removes it.
    pub body: Option<RawJson>,
    /// When it was first accepted.
    pub created: Timestamp,
    /// When this form of it was accepted.
    pub updated: Timestamp,
}

/// Kinds of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// Conductor's workflow definitions.
    Workflow,
    /// Conductor's task definitions.
    Task,
    /// Conductor's event handlers.
    EventHandler,
    /// JSON Schemas.
    Schema,
    /// Labels of workflow definitions: a list of keys and values.
    WorkflowTags,
    /// Labels of task definitions.
    TaskTags,
    /// Native documents.
    Flow,
    /// Keys of those who may ask: what is kept of them holds no secret.
    Key,
    /// Locks that somebody outside holds.
    Lock,
    /// Schedules.
    Schedule,
    /// What is done to many runs: how far it is, and to which.
    Bulk,
}

impl EntryKind {
    /// All kinds.
    pub const ALL: [EntryKind; 11] = [
        EntryKind::Workflow,
        EntryKind::Task,
        EntryKind::EventHandler,
        EntryKind::Schema,
        EntryKind::WorkflowTags,
        EntryKind::TaskTags,
        EntryKind::Flow,
        EntryKind::Key,
        EntryKind::Lock,
        EntryKind::Schedule,
        EntryKind::Bulk,
    ];
}

/// A line that a worker has written about a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: Arc<str>,
}
