//! What all requests share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use partitur_engine::QueueName;
use partitur_model::callback::NamedReceiver;
use partitur_model::catalogue::Entry;
use partitur_model::{TaskId, Timestamp};
use partitur_runtime::Clock;
use partitur_script::Evaluator;
use partitur_worker::calls::Calls;
use tokio::sync::Notify;

use crate::auth::Keys;
use crate::catalogue::Catalogue;
use crate::flows::Allowed;
use crate::handle::Handle;
use crate::limits::Limiter;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::payloads::Payloads;
use crate::programs::Programs;
use crate::reads::Reads;
use crate::schedules::Schedules;
use crate::settings::Settings;
use crate::workers::Workers;

/// What is known of definitions, and what evaluates their scripts.
pub struct Library {
    /// What the server was taught.
    pub catalogue: Arc<Catalogue>,
    /// What runs execute.
    pub programs: Programs,
    /// Scripts.
    pub evaluator: Evaluator,
    /// Those who may ask.
    pub keys: Keys,
    /// An event has arrived.
    pub arrivals: Notify,
    /// Somebody is to be told what has become of a run.
    pub callbacks: Notify,
    /// Who is told by name.
    pub receivers: Vec<NamedReceiver>,
}

impl Library {
    pub(crate) fn new(
        evaluator: Evaluator,
        allowed: Allowed,
        keys: Keys,
        receivers: Vec<NamedReceiver>,
    ) -> Library {
        let catalogue = Arc::<Catalogue>::default();
        let programs = Programs::new(catalogue.clone(), allowed);
        let (arrivals, callbacks) = (Notify::new(), Notify::new());
        Library { programs, catalogue, evaluator, keys, arrivals, callbacks, receivers }
    }

    /// Takes over entries that are durable.
    pub(crate) fn learn(&self, entries: &[Entry]) {
        let changed = self.catalogue.apply(entries);
        self.programs.forget(&changed);
        self.keys.learn(entries);
    }
}

/// What all requests share.
pub struct App {
    /// The way to the node.
    pub handle: Handle,
    /// Reads from rows.
    pub reads: Reads,
    /// Definitions.
    pub library: Arc<Library>,
    /// Who asks for tasks.
    pub workers: Workers,
    /// The queues of tasks that workers have.
    pub handed: HandedQueues,
    /// As they were read.
    pub settings: Settings,
    /// Changes of the catalogue are checked and made one after the other.
    pub teaching: tokio::sync::Mutex<()>,
    /// What clients bring apart from their requests.
    pub payloads: Payloads,
    /// What is started by the clock.
    pub schedules: Schedules,
    /// Woken when there is something to do to many runs.
    pub bulk: tokio::sync::Notify,
    /// What calls others.
    pub calls: Calls,
    /// Time.
    pub clock: Clock,
    /// Since when.
    pub started: Instant,
    /// What of the settings may change.
    pub live: Live,
    /// How fast requests come.
    pub(crate) limiter: Limiter,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The file of the rows.
    pub database: PathBuf,
}

impl App {
    /// Whether whoever asks needs a key.
    pub fn has_keys(&self) -> bool {
        self.settings.has_keys()
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// From which queue each task came that a worker has: an update that also asks for the next task does not say.
#[derive(Default)]
pub struct HandedQueues {
    halves: Mutex<Halves>,
}

/// Two generations; when the younger one is full, the older one is forgotten. Whoever is forgotten costs a read.
#[derive(Default)]
struct Halves {
    young: HashMap<TaskId, QueueName>,
    old: HashMap<TaskId, QueueName>,
}

/// Tasks in a generation.
const GENERATION: usize = 100_000;

impl HandedQueues {
    /// A task goes to a worker.
    pub fn note(&self, task: TaskId, queue: &QueueName) {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if halves.young.len() >= GENERATION {
            halves.old = std::mem::take(&mut halves.young);
        }
        halves.young.insert(task, queue.clone());
    }

    /// Where it came from; it is over, and forgotten.
    pub fn queue(&self, task: TaskId) -> Option<QueueName> {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        halves.young.remove(&task).or_else(|| halves.old.remove(&task))
    }
}
