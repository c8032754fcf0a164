//! What the server was taught: definitions, event handlers, schemas and tags, in memory as they are on the disk.
//!
//! It changes only when a change is durable. Readers hold no lock while they work: documents are shared.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use partitur_conductor::TaskDefs;
use partitur_conductor::wire::{self, SchemaDef, TaskDef, WorkflowDef};
use partitur_model::catalogue::{Entry, EntryKind};

/// The catalogue, shared.
#[derive(Default)]
pub struct Catalogue {
    documents: RwLock<Documents>,
}

/// What is in it.
#[derive(Default)]
pub struct Documents {
    workflows: BTreeMap<Arc<str>, BTreeMap<u32, Arc<WorkflowDef>>>,
    tasks: BTreeMap<Arc<str>, Arc<TaskDef>>,
    /// All other kinds, as they came.
    others: BTreeMap<(EntryKind, Arc<str>, u32), Entry>,
}

/// A definition that somebody may look up or embed has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// A workflow of this name.
    Workflow(Arc<str>),
    /// The task definition of this name.
    Task(Arc<str>),
    /// The schema of this name.
    Schema(Arc<str>),
}

impl Catalogue {
    /// To look things up; nothing changes meanwhile.
    pub fn read(&self) -> RwLockReadGuard<'_, Documents> {
        self.documents.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what is durable. A document that cannot be read is left out; it stays on the disk.
    pub fn apply(&self, entries: &[Entry]) -> Vec<Changed> {
        let mut documents = self.documents.write().unwrap_or_else(PoisonError::into_inner);
        entries.iter().filter_map(|entry| documents.apply(entry)).collect()
    }
}

impl Documents {
    fn apply(&mut self, entry: &Entry) -> Option<Changed> {
        let text = entry.body.as_ref().map(|body| body.as_str().as_bytes());
        match entry.kind {
            EntryKind::Workflow => {
                let versions = self.workflows.entry(entry.name.clone()).or_default();
                match text.map(wire::read::<WorkflowDef>) {
                    Some(Ok(def)) => drop(versions.insert(entry.version, Arc::new(def))),
                    Some(Err(_)) | None => drop(versions.remove(&entry.version)),
                }
                if versions.is_empty() {
                    self.workflows.remove(&entry.name);
                }
                Some(Changed::Workflow(entry.name.clone()))
            }
            EntryKind::Task => {
                match text.map(wire::read::<TaskDef>) {
                    Some(Ok(def)) => drop(self.tasks.insert(entry.name.clone(), Arc::new(def))),
                    Some(Err(_)) | None => drop(self.tasks.remove(&entry.name)),
                }
                Some(Changed::Task(entry.name.clone()))
            }
            EntryKind::EventHandler
            | EntryKind::Schema
            | EntryKind::WorkflowTags
            | EntryKind::TaskTags
            | EntryKind::Flow
            | EntryKind::Key
            | EntryKind::Lock
            | EntryKind::Schedule
            | EntryKind::Bulk => {
                let key = (entry.kind, entry.name.clone(), entry.version);
                match entry.body {
                    Some(_) => drop(self.others.insert(key, entry.clone())),
                    None => drop(self.others.remove(&key)),
                }
                (entry.kind == EntryKind::Schema).then(|| Changed::Schema(entry.name.clone()))
            }
        }
    }

    /// A workflow definition; the one with the highest version if none is named.
    pub fn workflow(&self, name: &str, version: Option<u32>) -> Option<&Arc<WorkflowDef>> {
        let versions = self.workflows.get(name)?;
        match version.filter(|&version| version > 0) {
            Some(version) => versions.get(&version),
            None => versions.last_key_value().map(|(_, def)| def),
        }
    }

    /// All workflow definitions, by name and version.
    pub fn workflows(&self) -> impl Iterator<Item = &Arc<WorkflowDef>> {
        self.workflows.values().flat_map(BTreeMap::values)
    }

    /// The versions of each workflow definition, by name.
    pub fn versions(&self) -> impl Iterator<Item = (&Arc<str>, &BTreeMap<u32, Arc<WorkflowDef>>)> {
        self.workflows.iter()
    }

    /// A task definition.
    pub fn task(&self, name: &str) -> Option<&Arc<TaskDef>> {
        self.tasks.get(name)
    }

    /// All task definitions, by name.
    pub fn tasks(&self) -> impl Iterator<Item = &Arc<TaskDef>> {
        self.tasks.values()
    }

    /// A document of another kind.
    pub fn other(&self, kind: EntryKind, name: &str, version: u32) -> Option<&Entry> {
        self.others.get(&(kind, name.into(), version))
    }

    /// The versions of a document of another kind, in order.
    pub fn versions_of(&self, kind: EntryKind, name: &str) -> impl DoubleEndedIterator<Item = &Entry> {
        let name: Arc<str> = name.into();
        self.others.range((kind, name.clone(), 0)..=(kind, name, u32::MAX)).map(|(_, entry)| entry)
    }

    /// All documents of another kind, by name and version.
    pub fn others(&self, kind: EntryKind) -> impl Iterator<Item = &Entry> {
        self.others.values().filter(move |entry| entry.kind == kind)
    }
}

impl TaskDefs for Catalogue {
    fn task_def(&self, name: &str) -> Option<TaskDef> {
        self.read().task_def(name)
    }

    fn latest_version(&self, workflow: &str) -> Option<u32> {
        self.read().latest_version(workflow)
    }

    fn schema(&self, name: &str, version: i64) -> Option<SchemaDef> {
        self.read().schema(name, version)
    }
}

impl TaskDefs for Documents {
    fn task_def(&self, name: &str) -> Option<TaskDef> {
        self.task(name).map(|def| TaskDef::clone(def))
    }

    fn latest_version(&self, workflow: &str) -> Option<u32> {
        self.workflows.get(workflow)?.last_key_value().map(|(&version, _)| version)
    }

    fn schema(&self, name: &str, version: i64) -> Option<SchemaDef> {
        let entry = match u32::try_from(version).ok()? {
            0 => self.versions_of(EntryKind::Schema, name).next_back(),
            version => self.other(EntryKind::Schema, name, version),
        };
        wire::read(entry?.body.as_ref()?.as_str().as_bytes()).ok()
    }
}
