//! What becomes of effects: processes that begin, beat, end, are stopped, and are heard of in time, late, twice, or never.

use std::time::Duration;

use partitur_engine::{Effect, Input};
use partitur_model::AttemptId;
use partitur_model::dispatch::{Dispatch, Report, ReportKind};

use super::{Event, Stop, World};
use crate::disk::Disk;
use crate::faults::Fault;
use crate::processes::{self, Process};

impl<D: Disk> World<D> {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Dispatch { dispatch, .. } => self.hand_out(*dispatch),
            Effect::Stop(attempt) => self.stop(attempt),
            Effect::Evaluate { run, task, generation, .. } => {
                let pause = self.rng.pause(1, 4_000);
                self.soon(pause, Event::Value(run, task, generation));
                if self.rng.percent(8) {
                    self.fault(Fault::ValueDoubled);
                    let pause = self.rng.pause(1, 20_000);
                    self.soon(pause, Event::Value(run, task, generation));
                }
            }
            Effect::Reply { to, answer } => {
                self.calls.remove(&to);
                self.house_hears(to, &answer);
            }
            Effect::HandOut { to, tasks, .. } => self.handed_out(to, tasks),
            Effect::Resolve { run, task, generation, .. } => self.look_up(run, task, generation),
            Effect::Load(_) | Effect::Event(_) => {}
        }
    }

    pub(super) fn hand_out(&mut self, dispatch: Dispatch) {
        self.summary.dispatches += 1;
        self.summary.undos += u64::from(dispatch.undo);
        let attempt = dispatch.attempt;
        self.processes.live.insert(attempt, Process { dispatch, stopping: false });
        let pause = self.rng.pause(0, 5);
        self.soon(pause, Event::Begin(attempt));
    }

    pub(super) fn begin(&mut self, attempt: AttemptId) {
        let Some(process) = self.processes.live.get(&attempt) else { return };
        let plan = processes::plan(&mut self.rng, &process.dispatch);
        plan.faults.iter().for_each(|&fault| self.fault(fault));
        self.at(plan.lasts, Event::End(attempt));
        if let Some(pause) = plan.beats {
            self.at(pause, Event::Beat(attempt, pause));
        }
    }

    pub(super) fn stop(&mut self, attempt: AttemptId) {
        let ignores = self.rng.percent(25);
        match self.processes.live.get_mut(&attempt) {
            Some(process) => {
                process.stopping = true;
                if ignores {
                    self.fault(Fault::StopIgnored);
                }
                let pause = self.rng.pause(1, if ignores { 20_000 } else { 200 });
                self.at(pause, Event::Stopped(attempt));
            }
            None => {
                // There is no such process any more: its executor says so.
                self.processes.unheard.remove(&attempt);
                let what = ReportKind::Ended(Box::new(processes::stopped(&mut self.rng)));
                self.soon(Duration::from_millis(1), Event::Report(Report { attempt, what }));
            }
        }
    }

    pub(super) fn end(&mut self, attempt: AttemptId, was_stopped: bool) -> Result<(), Stop> {
        let Some(process) = self.processes.live.remove(&attempt) else { return Ok(()) };
        let ending = if was_stopped || process.stopping {
            processes::stopped(&mut self.rng)
        } else {
            processes::ending(&mut self.rng)
        };
        let report = Report { attempt, what: ReportKind::Ended(Box::new(ending)) };
        if self.rng.percent(2) && self.is_busy() {
            self.fault(Fault::ReportLost);
            self.processes.unheard.insert(attempt, process.dispatch);
            return Ok(());
        }
        if self.rng.percent(6) {
            self.fault(Fault::ReportDoubled);
            let pause = self.rng.pause(1, 10_000);
            self.at(pause, Event::Report(report.clone()));
        }
        let late = self.rng.percent(6);
        if late {
            self.fault(Fault::ReportLate);
        }
        let pause = self.rng.pause(0, if late { 20_000 } else { 2 });
        self.at(pause, Event::Report(report));
        Ok(())
    }

    pub(super) fn report(&mut self, report: Report) -> Result<(), Stop> {
        if self.shard.is_none() {
            // Nobody listens. A worker elsewhere tries again, a local one died with the node.
            if self.rng.percent(40) {
                let pause = self.rng.pause(1_000, 20_000);
                self.at(pause, Event::Report(report));
            }
            return Ok(());
        }
        let epoch = self.shard.as_ref().map_or(0, |shard| shard.engine().epoch());
        if report.attempt.token.epoch() < epoch {
            self.fault(Fault::ReportOutlivesCrash);
        }
        self.input(Input::Report(report), None)
    }
}
