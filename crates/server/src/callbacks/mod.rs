//! Callbacks: who wants to hear what becomes of a run is told over HTTP.
//!
//! What is to be told is noted by the engine, in the commit in which the run gets there, and the note goes when it was
//! told. So nothing is lost and nothing is told that did not happen; what was told and not yet noted as told when the
//! process died is told again, under the same id. `policy.rs` says when something is tried again, `look.rs` what goes
//! next, `receivers.rs` where to, `signature.rs` how a receiver knows us.

mod look;
pub mod policy;
pub mod receivers;
mod signature;
pub(crate) mod waiting;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use partitur_model::Timestamp;
use partitur_model::note::{Note, NoteKind};
use partitur_store::NoteSearch;
use partitur_worker::calls::{Post, Posted};
use tokio::task::JoinSet;

use self::look::{Look, Seen};
use self::policy::{Outcome, Verdict, read_retry_after};
use self::receivers::Address;
use self::waiting::Waiting;
use crate::app::App;
use crate::handle::NodeError;
use crate::http::answer::Error;

/// So much is on its way at once.
const FLIGHTS_MAX: usize = 64;

/// Nobody sleeps longer: clocks may be set.
const NAP: Duration = Duration::from_secs(5);

/// After trouble with the disk.
const TROUBLE: Duration = Duration::from_secs(1);

/// How often it is looked for what could not be told and is old.
const SWEEP: Duration = Duration::from_secs(60);

/// So much that is old goes at once.
const SWEPT_MAX: u32 = 200;

/// Tells whoever wants to hear, for as long as the server lives.
pub(crate) async fn deliver(app: Arc<App>) {
    let mut courier = Courier {
        app,
        flights: JoinSet::new(),
        under_way: HashMap::new(),
        after: String::new(),
        swept: Timestamp::ZERO,
    };
    while !courier.app.handle.health().is_draining() {
        let nap = match courier.look().await {
            Ok(nap) => nap,
            Err(_) => TROUBLE,
        };
        tokio::select! {
            Some(landed) = courier.flights.join_next() => courier.land(landed.ok()).await,
            () = courier.app.library.callbacks.notified() => {}
            () = tokio::time::sleep(nap) => {}
        }
    }
    // What is on its way need not be told twice.
    while let Some(landed) = courier.flights.join_next().await {
        courier.land(landed.ok()).await;
    }
}

struct Courier {
    app: Arc<App>,
    flights: JoinSet<Landed>,
    /// What is on its way, and in which lane.
    under_way: HashMap<Arc<str>, Arc<str>>,
    /// Lanes up to this one have had their turn.
    after: String,
    swept: Timestamp,
}

/// What has been tried.
struct Landed {
    note: Note,
    waiting: Waiting,
    outcome: Outcome,
}

impl Courier {
    /// Sends what is due and has room. Says how long nothing more will be due by itself.
    async fn look(&mut self) -> Result<Duration, Error> {
        let now = self.app.now();
        if now >= self.swept + SWEEP {
            self.swept = now;
            self.forget_old(now).await?;
        }
        let free = FLIGHTS_MAX - self.flights.len();
        if free == 0 {
            return Ok(NAP);
        }
        let look = Look { now, after: self.after.clone(), under_way: self.under_way.clone(), free };
        let app = self.app.clone();
        let seen = app.reads.read(&app.handle, move |reader| look.at(reader)).await?;
        let Seen { found, moved, after, first } = seen;
        // Once around without anything new: what is due is on its way, or waits for it.
        let is_over = after.is_empty() && found.is_empty() && moved.is_empty();
        self.after = after;
        if !moved.is_empty() {
            self.app.handle.note(moved).await?;
        }
        for note in found {
            self.send(note).await?;
        }
        Ok(match first {
            Some(first) if first <= now && !is_over => Duration::ZERO,
            Some(first) if first > now => first.since(now).min(NAP),
            Some(_) | None => NAP,
        })
    }

    async fn send(&mut self, note: Note) -> Result<(), Error> {
        let Some(waiting) = Waiting::of(&note) else {
            // Nobody can read it: it would come again for ever.
            self.app.handle.note(vec![Note::gone(note.kind, note.id)]).await?;
            return Ok(());
        };
        self.under_way.insert(note.id.clone(), note.about.clone());
        let app = self.app.clone();
        self.flights.spawn(async move {
            let outcome = tell(&app, &note.id, &waiting).await;
            Landed { note, waiting, outcome }
        });
        Ok(())
    }

    /// Notes what has come of a try, and of all others that are over by now.
    async fn land(&mut self, first: Option<Landed>) {
        let mut landed = Vec::from_iter(first);
        while let Some(next) = self.flights.try_join_next() {
            landed.extend(next.ok());
        }
        let now = self.app.now();
        let policy = self.app.settings.callback_policy();
        let (mut notes, mut over) = (Vec::new(), Vec::new());
        for Landed { note, waiting, outcome } in landed {
            over.push(note.id.clone());
            let verdict = policy.judge(waiting.tries.saturating_add(1), &outcome, now);
            if verdict == Verdict::Dead {
                self.app.metrics.callbacks.dead.add(1);
            }
            notes.extend(waiting.tried(note, verdict, &outcome, now));
        }
        while let Err(error) = self.app.handle.note(notes.clone()).await {
            if matches!(error, NodeError::Stopping) {
                break;
            }
            tokio::time::sleep(TROUBLE).await;
        }
        for id in over {
            self.under_way.remove(&id);
        }
    }

    /// What could not be told is not kept for ever.
    async fn forget_old(&self, now: Timestamp) -> Result<(), Error> {
        let Some(kept) = self.app.settings.callbacks_kept() else { return Ok(()) };
        loop {
            let oldest = NoteSearch { limit: SWEPT_MAX, ..NoteSearch::default() };
            let read =
                self.app.reads.read_durable(move |reader| reader.notes(NoteKind::DeadCallback, oldest));
            let old: Vec<Note> = read.await?.into_iter().filter(|note| note.at + kept <= now).collect();
            if old.is_empty() {
                return Ok(());
            }
            let gone = old.into_iter().map(|note| Note::gone(note.kind, note.id));
            self.app.handle.note(gone.collect()).await?;
        }
    }
}

/// One try.
async fn tell(app: &App, id: &str, waiting: &Waiting) -> Outcome {
    let address = app.settings.receivers().address(&waiting.to, waiting.secret.as_deref());
    let Address { url, keys } = match address {
        Ok(address) => address,
        Err(problem) => return Outcome::Unanswered(problem),
    };
    let now = app.now();
    let seconds = now.millis() / 1_000;
    let body = waiting.event.get().to_owned();
    let mut headers = vec![
        ("idempotency-key", id.to_owned()),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds.to_string()),
    ];
    if !keys.is_empty() {
        headers.push(("webhook-signature", keys.sign(id, seconds, &body)));
    }
    let is_secure = url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
    let timeout = app.settings.callback_timeout();
    let (posted, took) = app.calls.post(Post { url, headers, body, timeout }).await;
    let outcome = match posted {
        Posted::Answered { status, retry_after } => {
            let retry_after = retry_after.and_then(|text| read_retry_after(&text, app.now()));
            Outcome::Answered { status, retry_after }
        }
        Posted::Refused(why) => Outcome::Refused(why),
        Posted::Unanswered(why) => Outcome::Unanswered(why),
    };
    app.metrics.callbacks.tried(is_secure, &outcome, took);
    outcome
}
