//! How many runs of a definition live at once. A run for which there is no room waits in sight, with none of its tasks
//! begun, and begins as soon as another ends: its place is a claim like any other.
//!
//! Nothing of it is kept: a run that has begun has its place, one that has not waits. A run that is revived takes a place
//! without waiting: it had one before.

use partitur_expr::{Lookup, Step, Template, navigate};
use partitur_model::Payload;
use partitur_model::definition::{ClaimMode, Priority};
use partitur_model::record::{RunRecord, RunState, TaskState};

use crate::admission::{Admission, Request, ResourceId, TaskKey, Ticket};
use crate::cx::Cx;
use crate::run::Run;
use crate::schema::THE_RUN;

/// How many runs live at once.
#[derive(Debug)]
pub(crate) struct Room {
    /// The resource whose units are places; what the key comes to follows.
    pub pool: String,
    pub key: Template,
    pub runs: u32,
    pub refuse: bool,
}

impl Room {
    /// Of which a run with this record takes one.
    pub(crate) fn resource(&self, admission: &mut Admission, rec: &RunRecord) -> ResourceId {
        let id = admission.resource(&format!("{}{}", self.pool, self.key.resolve_text(&Known(rec))));
        if admission.capacity(id) != self.runs {
            // For all keys at once: what is declared by name is never forgotten.
            admission.set_capacity(&format!("{}*", self.pool), self.runs);
        }
        id
    }
}

impl Run {
    fn place_key(&self) -> TaskKey {
        TaskKey { run: self.id(), task: THE_RUN }
    }

    /// The run begins, or waits until there is room.
    pub(crate) fn ask_for_room(&mut self, cx: &mut Cx<'_>) {
        let Some(ticket) = self.room_ticket(cx) else { return };
        self.waits_for_room = true;
        let batch = cx.batch.number();
        cx.admission.offer(cx.now, ticket, batch);
    }

    /// There is room: the run begins.
    pub(crate) fn has_room(&mut self, cx: &mut Cx<'_>) {
        if self.rec.state.is_ended() {
            return cx.admission.release(cx.now, self.place_key());
        }
        self.waits_for_room = false;
        self.consider_all(cx);
    }

    /// After recovery, and after a revival: whoever has begun has a place.
    pub(crate) fn take_up_room(&mut self, cx: &mut Cx<'_>, revived: bool) {
        match self.rec.state {
            RunState::Running | RunState::Paused => {}
            RunState::Ending(_) | RunState::RollingBack(_) | RunState::Ended(_) => return,
        }
        if cx.admission.holds(self.place_key()) {
            self.waits_for_room = false;
        } else if cx.admission.is_waiting(self.place_key()) {
            self.waits_for_room = true;
        } else if revived || self.has_begun_anything() {
            let ticket = self.room_ticket(cx);
            ticket.into_iter().for_each(|ticket| cx.admission.adopt(ticket));
        } else {
            self.ask_for_room(cx);
        }
    }

    /// The run has ended: another one may begin.
    pub(crate) fn give_up_room(&mut self, cx: &mut Cx<'_>) {
        if self.program.room.is_some() {
            self.waits_for_room = false;
            cx.take_back(self.place_key());
        }
    }

    fn room_ticket(&self, cx: &mut Cx<'_>) -> Option<Ticket> {
        let room = self.program.room.as_ref()?;
        let resource = room.resource(cx.admission, &self.rec);
        let priority = self.rec.options.server.as_ref().map_or(0.0, |server| f32::from(server.priority));
        Some(Ticket {
            task: self.place_key(),
            class: Priority::Normal,
            level: priority,
            ready: self.rec.created,
            order: self.id().number(),
            claims: vec![Request { resource, mode: ClaimMode::Exclusive, units: 1 }],
            breaker: None,
            expected: 1.0,
        })
    }

    fn has_begun_anything(&self) -> bool {
        self.tasks().any(|task| task.state != TaskState::Blocked)
    }
}

/// What is known of a run before it begins, and stays so.
pub(crate) struct Known<'a>(pub &'a RunRecord);

impl Lookup for Known<'_> {
    fn lookup(&self, head: &str, steps: &[Step]) -> Option<Payload> {
        let [Step::Key(key), rest @ ..] = steps else { return None };
        let server = self.0.options.server.as_deref();
        match (head, &**key) {
            ("workflow", "input") => navigate(&self.0.input, rest),
            ("workflow", "correlationId") => {
                server.and_then(|server| server.correlation.as_deref()).map(Payload::string)
            }
            ("workflow", "workflowType" | "name") => Some(Payload::string(&self.0.name)),
            ("workflow", "version") => server.map(|server| u64::from(server.version).into()),
            _ => None,
        }
    }
}
