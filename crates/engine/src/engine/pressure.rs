//! The machine was looked at: limits that follow the load move.

use partitur_model::Pressure;
use partitur_model::event::EventKind;

use super::Engine;
use crate::batch::Batch;
use crate::cx::Agenda;
use crate::load::LimitView;
use crate::work::run_slots;

impl Engine {
    /// Whether anybody wants to be told how the machine is; at once, if somebody waits for the first look.
    pub fn wants_pressure(&self) -> Option<Urgency> {
        let urgency = if self.governors.is_urgent() { Urgency::Now } else { Urgency::Soon };
        self.governors.is_wanted().then_some(urgency)
    }

    /// How runs are limited whose limit follows the load.
    pub fn limits(&self) -> Vec<LimitView> {
        let runs = self.governors.runs();
        runs.into_iter().filter_map(|run| self.governors.view(run, self.slots_of(run).0)).collect()
    }

    fn slots_of(&self, run: partitur_model::RunId) -> (u32, bool) {
        self.admission.known(&run_slots(run)).map_or((0, false), |slots| self.admission.demand(slots))
    }

    pub(super) fn press(&mut self, pressure: Pressure, batch: &mut Batch, agenda: &mut Agenda) {
        for run in self.governors.runs() {
            let (live, waits) = self.slots_of(run);
            let Some(governor) = self.governors.look(run, self.now, pressure, live, waits) else { continue };
            let (limit, bounds, cause) = (governor.limit(), governor.bounds(), governor.cause());
            self.admission.set_capacity(&run_slots(run), limit);
            self.with_run(run, batch, agenda, |run, cx| {
                let reason = cause.to_string();
                cx.event(run.id(), EventKind::Limit { limit, min: bounds.min, max: bounds.max, reason });
            });
        }
    }
}

/// How soon the machine is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// A run has only its least places until then.
    Now,
    /// When it is time again.
    Soon,
}
