//! What is to be sent next, as the rows say.
//!
//! What goes to one host and port is a lane, and each lane has a few places: whoever is slow holds back itself alone. What
//! is told of one run to one lane goes in order: nothing is sent while something older of its run is still to be sent
//! there. What waits for something older is put behind it, so that nobody looks at it again and again.

use std::collections::HashMap;
use std::sync::Arc;

use partitur_model::Timestamp;
use partitur_model::note::{Note, NoteKind};
use partitur_store::{Reader, StoreError};

use super::waiting::before;

/// So much goes to one lane at once.
const LANE_MAX: usize = 4;

/// Lanes of one look.
pub(super) const LANES: usize = 256;

/// Of a lane so many are looked at, in one look.
const PAGE: usize = 64;

/// What is known when somebody looks.
pub(super) struct Look {
    pub now: Timestamp,
    /// Lanes up to this one have had their turn.
    pub after: String,
    /// What is on its way, and in which lane.
    pub under_way: HashMap<Arc<str>, Arc<str>>,
    /// So many more may be on their way.
    pub free: usize,
}

/// What was seen.
#[derive(Default)]
pub(super) struct Seen {
    /// To be sent.
    pub found: Vec<Note>,
    /// To be noted anew: they wait for others.
    pub moved: Vec<Note>,
    /// Lanes up to this one have had their turn; empty if all have.
    pub after: String,
    /// When the first of all is due, also of those that are on their way.
    pub first: Option<Timestamp>,
}

impl Look {
    pub(super) fn at(mut self, reader: &Reader) -> Result<Seen, StoreError> {
        let mut seen = Seen { first: reader.first_due(NoteKind::Callback)?, ..Seen::default() };
        if seen.first.is_none_or(|first| first > self.now) {
            return Ok(seen);
        }
        let lanes = reader.note_lanes(NoteKind::Callback, &self.after, LANES)?;
        let mut last = None;
        for (lane, due) in &lanes {
            if self.free == 0 {
                seen.after = last.unwrap_or(self.after);
                return Ok(seen);
            }
            if *due <= self.now {
                self.lane(reader, &lane.as_str().into(), &mut seen)?;
            }
            last = Some(lane.clone());
        }
        seen.after = last.filter(|_| lanes.len() == LANES).unwrap_or_default();
        Ok(seen)
    }

    fn lane(&mut self, reader: &Reader, lane: &Arc<str>, seen: &mut Seen) -> Result<(), StoreError> {
        let mut taken = self.under_way.values().filter(|known| *known == lane).count();
        for id in reader.due_notes(NoteKind::Callback, lane, self.now, LANE_MAX + PAGE)? {
            if taken >= LANE_MAX || self.free == 0 {
                break;
            }
            if self.under_way.contains_key(&id) {
                continue;
            }
            let (from, to) = before(&id);
            let older = reader.notes_between(NoteKind::Callback, lane, (&from, &to), 1)?.pop();
            let later = older.map(|(_, at)| at);
            if later.is_some_and(|at| at <= self.now) {
                // The older one goes now.
                continue;
            }
            let Some(note) = reader.note(NoteKind::Callback, &id)? else { continue };
            match later {
                Some(at) => seen.moved.push(Note { at, ..note }),
                None => {
                    self.under_way.insert(id, lane.clone());
                    (taken, self.free) = (taken + 1, self.free - 1);
                    seen.found.push(note);
                }
            }
        }
        Ok(())
    }
}
