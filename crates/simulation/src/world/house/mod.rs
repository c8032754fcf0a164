//! What a server does beside its runs: schedules, retention, jobs over many runs, and locks for those outside.
//!
//! What decides is the real thing (`conductor::schedule`, `store::retention`, `api::bulk`, the engine's admission); here it
//! is given its time, asks the node, hears the answers, and is forgotten when the node dies.

mod agents;
mod bulk;
mod retention;
mod schedules;

use partitur_engine::{Answer, Input, ReplyTo};
use partitur_model::catalogue::Entry;
use partitur_model::note::Note;

use super::{Event, Runs, Stop, World};
use crate::disk::Disk;
use crate::rng::Rng;

pub use agents::{AGENTS, Agents};
pub use bulk::{Jobs, Treated};
pub use retention::Retention;
pub use schedules::{Schedules, Start, next_time, read as read_schedule};

/// All of it.
pub struct House {
    pub schedules: Schedules,
    pub retention: Retention,
    pub jobs: Jobs,
    pub agents: Agents,
}

/// Something for the house to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Somebody plans something: a schedule, a job.
    Plan,
    /// What is due is started.
    KeepTime,
    /// What is to go is looked for.
    Sweep,
    /// What was chosen goes.
    Forget,
    /// The job at hand goes on.
    Work,
    /// Somebody outside does something about locks.
    Agent(u8),
}

impl House {
    pub fn new(rng: &mut Rng) -> House {
        House {
            schedules: Schedules::default(),
            retention: Retention::new(rng),
            jobs: Jobs::default(),
            agents: Agents::default(),
        }
    }
}

impl<D: Disk> World<D> {
    pub(super) fn errand(&mut self, errand: Errand) -> Result<(), Stop> {
        match errand {
            Errand::Plan => self.plan(),
            Errand::KeepTime => self.keep_time(),
            Errand::Sweep => self.sweep(),
            Errand::Forget => self.forget_chosen(),
            Errand::Work => self.work_on_job(),
            Errand::Agent(agent) => self.agent(agent),
        }
    }

    /// The node has started: what is on the disk is taken up.
    pub(super) fn open_house(&mut self) {
        if self.runs != Runs::Managed {
            return;
        }
        if !self.durable.locks().is_empty() {
            self.summary.deed("a lock is held again after a start");
        }
        self.recall_schedules();
        self.house.retention.forget();
        self.house.jobs.forget();
        self.house.agents.forget();
        for errand in [Errand::KeepTime, Errand::Sweep, Errand::Work, Errand::Plan] {
            let pause = self.rng.pause(1, 3_000);
            self.soon(pause, Event::House(errand));
        }
        for agent in 0..AGENTS {
            let pause = self.rng.pause(1, 3_000);
            self.soon(pause, Event::House(Errand::Agent(agent)));
        }
    }

    /// Somebody hears an answer.
    pub(super) fn house_hears(&mut self, to: ReplyTo, answer: &Answer) {
        self.schedule_hears(to, answer);
        self.job_hears(to, answer);
        self.agent_hears(to, answer);
    }

    fn plan(&mut self) -> Result<(), Stop> {
        if !self.is_busy() || self.shard.is_none() {
            return Ok(());
        }
        let pause = self.rng.pause(500, 20_000);
        self.soon(pause, Event::House(Errand::Plan));
        match self.rng.percent(50) {
            true => self.plan_schedule(),
            false => self.plan_job(),
        }
    }

    /// Writes documents and notes in one commit.
    fn keep(&mut self, entries: Vec<Entry>, notes: Vec<Note>) -> (ReplyTo, Input) {
        let (reply, _) = self.call(None, None);
        let input = Box::new(Input::Keep { entries, reply: Some(reply) });
        (reply, Input::Noted { input, notes })
    }

    fn ask(&mut self, (reply, input): (ReplyTo, Input)) -> Result<(), Stop> {
        let (_, call) = self.call(None, None);
        self.input(input, Some((reply, call)))
    }
}
