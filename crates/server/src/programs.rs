//! Definitions as runs execute them: frozen, compiled, and kept as long as somebody may need them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use hashlink::LruCache;
use partitur_conductor::render::Renderer;
use partitur_conductor::wire::{SchemaDef, TaskDef, ValidationError, WorkflowDef, WorkflowTask};
use partitur_conductor::{
    TaskDefs, TaskType, check, definition_record, freeze, lower_with, read_workflow_def,
};
use partitur_engine::{Program, compile};
use partitur_model::record::{DefinitionRecord, SourceFormat};
use partitur_model::{DefinitionId, Fault};
use partitur_store::{Reader, StoreError};

use crate::catalogue::{Catalogue, Changed, Documents};
use crate::flows::{self, Allowed};

/// Compiled definitions beyond so many, or of so many bytes of source, are forgotten when no run and no name needs them:
/// compiled they are some fifty times as large. Names need those whose runs started last, up to as many bytes.
const KEPT_MAX: usize = 256;
const KEPT_BYTES: usize = 1 << 20;

/// A definition as runs of it execute it.
pub struct Known {
    /// Its sources, as they are stored.
    pub record: Arc<DefinitionRecord>,
    /// With a task definition in each task.
    pub def: Arc<WorkflowDef>,
    /// What the engine executes.
    pub program: Arc<Program>,
    /// Writes its runs and tasks.
    pub renderer: Renderer,
    /// The bytes of its sources.
    size: usize,
    /// Its tasks by reference name, at every depth: what they are, and where workers come for them.
    tasks: HashMap<String, (TaskType, Arc<str>)>,
}

impl Known {
    /// Where workers come for the task of this reference name.
    pub fn task_type(&self, reference: &str) -> Option<&Arc<str>> {
        self.tasks.get(reference).map(|(_, queue)| queue)
    }

    /// What the task of this reference name is.
    pub fn kind(&self, reference: &str) -> Option<&TaskType> {
        self.tasks.get(reference).map(|(kind, _)| kind)
    }
}

/// All definitions that were compiled.
pub struct Programs {
    catalogue: Arc<Catalogue>,
    allowed: Allowed,
    by_id: RwLock<HashMap<DefinitionId, Arc<Known>>>,
    current: Mutex<Latest>,
}

/// What runs that start now execute, by name and version: those that started last, so that a server of many definitions
/// does not hold all of them compiled.
struct Latest {
    by_name: LruCache<(Arc<str>, u32), Current>,
    /// The bytes of their sources.
    bytes: usize,
}

/// What runs that start now execute.
struct Current {
    known: Arc<Known>,
    /// Names of tasks, workflows and schemas on which it rests.
    rests_on: BTreeSet<String>,
}

/// Why a definition cannot be executed.
#[derive(Debug, thiserror::Error)]
pub enum NoProgram {
    /// There is none of this name and version.
    #[error("no such workflow definition: {name}{}", version.map(|v| format!(", version {v}")).unwrap_or_default())]
    Unknown {
        /// Its name.
        name: String,
        /// Its version, if one was asked for.
        version: Option<u32>,
    },
    /// It has faults.
    #[error("the definition has {} faults: {}", .0.len(), .0.iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect::<Vec<_>>().join("; "))]
    Faulty(Vec<ValidationError>),
}

impl Programs {
    /// Of this catalogue, and of native documents as far as they are allowed.
    pub(crate) fn new(catalogue: Arc<Catalogue>, allowed: Allowed) -> Programs {
        Programs { catalogue, allowed, by_id: RwLock::default(), current: Mutex::default() }
    }

    /// What a run of a registered definition executes.
    ///
    /// # Errors
    /// There is no such definition, or it cannot be executed.
    pub fn named(&self, name: &str, version: Option<u32>) -> Result<Arc<Known>, NoProgram> {
        let documents = self.catalogue.read();
        let def = documents
            .workflow(name, version)
            .ok_or_else(|| NoProgram::Unknown { name: name.to_owned(), version })?
            .clone();
        let key = (Arc::<str>::from(name), def.version);
        if let Some(current) = self.latest().by_name.get(&key) {
            return Ok(current.known.clone());
        }
        let noting = Noting { documents: &documents, looked_up: Mutex::default() };
        let known = self.learn(with_schemas(freeze(&def, &noting))?)?;
        let rests_on = noting.looked_up.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.latest().remember(key, Current { known: known.clone(), rests_on });
        Ok(known)
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a run of a definition that came with its request executes.
    ///
    /// # Errors
    /// It cannot be executed.
    pub fn inline(&self, def: &WorkflowDef) -> Result<Arc<Known>, NoProgram> {
        let faults = check::tasks(&def.tasks);
        if !faults.is_empty() {
            return Err(NoProgram::Faulty(faults));
        }
        let frozen = freeze(def, &*self.catalogue.read());
        self.learn(with_schemas(frozen)?)
    }

    fn learn(&self, frozen: WorkflowDef) -> Result<Arc<Known>, NoProgram> {
        self.learn_record(definition_record(&frozen), frozen)
    }

    fn learn_record(&self, record: DefinitionRecord, frozen: WorkflowDef) -> Result<Arc<Known>, NoProgram> {
        if let Some(known) = self.known(record.id) {
            return Ok(known);
        }
        let definition =
            lower_with(&frozen, &(self.catalogue.clone() as Arc<dyn TaskDefs>)).map_err(NoProgram::Faulty)?;
        let program = compile(&Arc::new(definition)).map_err(|faults| NoProgram::Faulty(told(faults)))?;
        let mut tasks = HashMap::new();
        gather(&frozen.tasks, &mut tasks);
        let def = Arc::new(frozen);
        let renderer = Renderer::new(def.clone(), self.catalogue.clone());
        let size = record.files.iter().map(|file| file.text.len()).sum();
        let known = Arc::new(Known { record: Arc::new(record), def, program, renderer, size, tasks });
        let mut by_id = write(&self.by_id);
        if by_id.len() >= KEPT_MAX || by_id.values().map(|known| known.size).sum::<usize>() > KEPT_BYTES {
            by_id.retain(|_, known| Arc::strong_count(known) > 1 || Arc::strong_count(&known.program) > 1);
        }
        by_id.insert(known.record.id, known.clone());
        Ok(known)
    }

    /// A definition of which runs are known.
    pub fn known(&self, id: DefinitionId) -> Option<Arc<Known>> {
        read(&self.by_id).get(&id).cloned()
    }

    /// A definition, from its row if need be.
    ///
    /// # Errors
    /// The disk's, and [`StoreError::Damaged`].
    pub fn load(&self, id: DefinitionId, reader: &Reader) -> Result<Arc<Known>, StoreError> {
        if let Some(known) = self.known(id) {
            return Ok(known);
        }
        let record = reader.definition(id)?;
        let record = record.ok_or_else(|| StoreError::Damaged(format!("definition {id} is missing")))?;
        self.recall(record).map_err(StoreError::Damaged)
    }

    /// What runs of a stored definition execute, Conductor's or a native document.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn program(&self, record: &DefinitionRecord) -> Result<Arc<Program>, String> {
        match record.format {
            SourceFormat::Conductor => self.recall(record.clone()).map(|known| known.program.clone()),
            SourceFormat::Yaml | SourceFormat::Json | SourceFormat::NodesEdges => {
                flows::recall(record, self.allowed)
            }
        }
    }

    /// A stored definition of Conductor's.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn recall(&self, record: DefinitionRecord) -> Result<Arc<Known>, String> {
        let def = read_workflow_def(&record).map_err(|error| error.to_string())?;
        self.learn_record(record, def).map_err(|error| error.to_string())
    }

    /// Forgets what rests on a definition that has changed.
    pub fn forget(&self, changed: &[Changed]) {
        let mut latest = self.latest();
        for change in changed {
            match change {
                Changed::Workflow(name) => {
                    latest.retain(|known, rest| *known != **name && !rest.rests_on.contains(&**name));
                }
                Changed::Task(name) | Changed::Schema(name) => {
                    latest.retain(|_, rest| !rest.rests_on.contains(&**name));
                }
            }
        }
    }
}

impl Default for Latest {
    fn default() -> Latest {
        Latest { by_name: LruCache::new_unbounded(), bytes: 0 }
    }
}

impl Latest {
    /// The last one stays however large it is.
    fn remember(&mut self, key: (Arc<str>, u32), current: Current) {
        self.bytes += current.known.size;
        if let Some(before) = self.by_name.insert(key, current) {
            self.bytes -= before.known.size;
        }
        while self.bytes > KEPT_BYTES && self.by_name.len() > 1 {
            let (_, oldest) = self.by_name.remove_lru().expect("there are several");
            self.bytes -= oldest.known.size;
        }
    }

    fn retain(&mut self, mut keep: impl FnMut(&str, &Current) -> bool) {
        self.by_name.retain(|(name, _), current| keep(name, current));
        self.bytes = self.by_name.iter().map(|(_, current)| current.known.size).sum();
    }
}

/// A schema that has been forgotten since is not passed over.
fn with_schemas(frozen: WorkflowDef) -> Result<WorkflowDef, NoProgram> {
    match check::unknown_schemas(&frozen) {
        faults if faults.is_empty() => Ok(frozen),
        faults => Err(NoProgram::Faulty(faults)),
    }
}

fn told(faults: Vec<Fault>) -> Vec<ValidationError> {
    faults.into_iter().map(|fault| ValidationError::new(fault.place.to_string(), fault.message)).collect()
}

fn gather(tasks: &[WorkflowTask], out: &mut HashMap<String, (TaskType, Arc<str>)>) {
    for task in tasks {
        out.insert(task.task_reference_name.clone(), (task.task_type(), queue_of(task).into()));
        for (_, children) in task.children() {
            gather(children, out);
        }
    }
}

/// Where a worker comes for the task: under its name, or under its type if that is nobody's but its users'.
fn queue_of(task: &WorkflowTask) -> String {
    match task.task_type() {
        TaskType::Custom(name) => name,
        _ => task.name.clone(),
    }
}

/// Remembers what was looked up.
struct Noting<'a> {
    documents: &'a Documents,
    looked_up: Mutex<BTreeSet<String>>,
}

impl Noting<'_> {
    fn note(&self, name: &str) {
        self.looked_up.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }
}

impl TaskDefs for Noting<'_> {
    fn task_def(&self, name: &str) -> Option<TaskDef> {
        self.note(name);
        self.documents.task_def(name)
    }

    fn latest_version(&self, workflow: &str) -> Option<u32> {
        self.note(workflow);
        self.documents.latest_version(workflow)
    }

    fn schema(&self, name: &str, version: i64) -> Option<SchemaDef> {
        self.note(name);
        self.documents.schema(name, version)
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use partitur_model::RawJson;
    use partitur_model::Timestamp;
    use partitur_model::catalogue::{Entry, EntryKind};

    use super::*;

    const OF_SEVERAL: usize = 1_000;

    fn entry(number: usize) -> Entry {
        let tasks = (0..5).map(|task| format!(r#"{{"name":"t{task}","taskReferenceName":"t{task}"}}"#));
        let tasks = tasks.collect::<Vec<_>>().join(",");
        let body = format!(r#"{{"name":"flow{number}","version":1,"schemaVersion":2,"tasks":[{tasks}]}}"#);
        Entry {
            kind: EntryKind::Workflow,
            name: format!("flow{number}").into(),
            version: 1,
            body: Some(RawJson::parse(&body).unwrap()),
            created: Timestamp::ZERO,
            updated: Timestamp::ZERO,
        }
    }

    fn programs() -> Programs {
        let catalogue = Arc::new(Catalogue::default());
        catalogue.apply(&(0..OF_SEVERAL).map(entry).collect::<Vec<_>>());
        Programs::new(catalogue, Allowed { commands: None })
    }

    #[test]
    fn of_many_definitions_those_stay_compiled_whose_runs_started_last() {
        let programs = programs();
        for number in 0..OF_SEVERAL {
            programs.named("flow0", None).unwrap();
            programs.named(&format!("flow{number}"), None).unwrap();
        }
        let latest = programs.latest();
        let kept = |number: usize| latest.by_name.peek(&(format!("flow{number}").into(), 1)).is_some();
        assert!(kept(0) && kept(OF_SEVERAL - 1) && !kept(1));
        assert!(latest.bytes <= KEPT_BYTES, "{} bytes", latest.bytes);
        assert!(read(&programs.by_id).len() < OF_SEVERAL, "others are not held by anybody");
    }

    #[test]
    fn what_rests_on_a_changed_definition_is_compiled_anew() {
        let programs = programs();
        let before = programs.named("flow1", None).unwrap();
        programs.named("flow2", None).unwrap();
        programs.forget(&[Changed::Workflow("flow1".into())]);
        let latest = programs.latest();
        assert_eq!(latest.by_name.len(), 1);
        assert_eq!(latest.bytes, before.size);
    }
}
