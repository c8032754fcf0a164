//! What people want of the node, and what disturbs it meanwhile.

use std::time::Duration;

use partitur_engine::{Command, Input, ReplyTo, Submission};
use partitur_model::record::RunOptions;
use partitur_model::{DefinitionId, Payload, RunId};

use super::{Event, Runs, Stop, World};
use crate::checkers::Call;
use crate::disk::Disk;
use crate::faults::{self, DiskTrouble, Fault};
use crate::workload::{BREAKER, Wish, served_wish, wish};

impl<D: Disk> World<D> {
    pub(super) fn client(&mut self) -> Result<(), Stop> {
        if !self.is_busy() {
            return Ok(());
        }
        let pause = if self.rng.percent(30) { Duration::ZERO } else { self.rng.pause(1, 6_000) };
        self.at(pause, Event::Client);
        self.disturb();
        if self.shard.is_none() {
            return Ok(());
        }
        let wish = match self.runs {
            Runs::Local => wish(&mut self.rng, &self.documents, &self.durable),
            Runs::Served | Runs::Managed => served_wish(&mut self.rng, &self.documents, &self.durable),
        };
        match wish {
            Wish::Submit(id, options) => self.submit(id, options),
            Wish::Command(run, command) => self.command(run, command),
            Wish::Update(run, task, status) => self.somebody_says(run, task, status),
            Wish::Keep(entry) => {
                let (reply, call) = self.call(None, None);
                self.input(Input::Keep { entries: vec![entry], reply: Some(reply) }, Some((reply, call)))
            }
            Wish::Log(run, task, line) => {
                let (reply, call) = self.call(None, None);
                let input = Input::Log { run, task, lines: vec![line], reply: Some(reply) };
                self.input(input, Some((reply, call)))
            }
            Wish::Evict(run) => self.input(Input::Evict(run), None),
            Wish::Concurrency(count) => {
                self.limit = count;
                self.limit_lately = self.limit_lately.max(count);
                self.input(Input::Concurrency(count), None)
            }
            Wish::ResetBreaker => {
                let (reply, call) = self.call(None, None);
                let input = Input::ResetBreaker { name: BREAKER.into(), reply: Some(reply) };
                self.input(input, Some((reply, call)))
            }
        }
    }

    /// Once in a while, the clock or the disk.
    pub(super) fn disturb(&mut self) {
        if self.rng.percent(3) {
            let (fault, skew) = faults::jump(&mut self.rng);
            self.fault(fault);
            self.skew += skew;
        }
        if self.rng.percent(4) && self.trouble.is_none() && self.shard.is_some() {
            let trouble = DiskTrouble::ALL[self.rng.below(DiskTrouble::ALL.len())];
            self.fault(Fault::Disk(trouble));
            self.trouble = Some(trouble);
            let lasts = faults::trouble_lasts(&mut self.rng);
            self.soon(lasts, Event::Mend);
        }
    }

    pub(super) fn call(&self, command: Option<Command>, dedup_key: Option<String>) -> (ReplyTo, Call) {
        let input = self.summary.inputs + 1;
        (ReplyTo(input), Call { input, command, dedup_key, ..Call::default() })
    }

    pub(super) fn submit(&mut self, id: DefinitionId, options: RunOptions) -> Result<(), Stop> {
        let (reply, call) = self.call(None, options.dedup_key.clone());
        let document = &self.documents.0[&id];
        let submission = Submission {
            program: document.program.clone(),
            definition: document.record.clone(),
            input: Payload::object::<&str>([]),
            options,
            random: self.rng.bits(),
            under_key: None,
            expected: Vec::new(),
            reply: Some(reply),
        };
        self.input(Input::Submit(Box::new(submission)), Some((reply, call)))
    }

    pub(super) fn command(&mut self, run: RunId, command: Command) -> Result<(), Stop> {
        if matches!(command, Command::Remove { .. }) {
            self.removals.insert(run);
        }
        self.note_kin(run, &command);
        let (reply, call) = self.call(Some(command.clone()), None);
        self.input(Input::Command { run, command, reply: Some(reply) }, Some((reply, call)))
    }
}
