//! Locks for those outside: taken all at once or not at all, renewed, given back; and who waits for whom.
//!
//! The same admission decides about them and about tasks. A lock ends when its lease is over; results that are written
//! under its token can be told from those of whoever had it before.

use std::time::Duration;

use axum::extract::{Path, State};
use partitur_engine::{HeldLock, LockClaim, LockWish, lock_name};
use partitur_model::definition::ClaimMode;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json as value};

use crate::app::App;
use crate::auth::asking;
use crate::conductor_api::Shared;
use crate::handle::{Contender, Contention};
use crate::http::answer::{Answer, Error, done, json};
use crate::http::input::Json;
use crate::starting::random;

/// A lock has at most so many claims.
const CLAIMS_MAX: usize = 100;

/// A name has at most so many bytes.
const NAME_MAX: usize = 1_000;

/// Whoever waits gets an answer after so long.
const WAIT_MAX: u64 = 60_000;

/// A lease, if nothing is said, and the longest.
const LEASE: u64 = 60_000;
const LEASE_MAX: u64 = 3_600_000;

/// A lock that somebody wants.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Who wants it, for people.
    #[serde(default)]
    holder: String,
    /// All of these, or none.
    claims: Vec<Claim>,
    /// So long it waits for them, in milliseconds; at most 60,000.
    #[serde(default)]
    wait: u64,
    /// So long it is held without a sign of life, in milliseconds: 60,000 if nothing is said.
    #[serde(default = "lease")]
    lease: u64,
    /// The id of a lock that is held, to which this one is added.
    #[serde(default)]
    with: Option<String>,
}

/// One claim of it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Claim {
    /// `file:/srv/erp/orders.db`, `dir:/srv/erp`, `service:billing`, `gpu`.
    resource: String,
    /// Together with others that share it.
    #[serde(default)]
    shared: bool,
    /// How many units.
    #[serde(default = "one")]
    units: u32,
}

fn lease() -> u64 {
    LEASE
}

fn one() -> u32 {
    1
}

pub(crate) async fn acquire(State(app): Shared, Json(wanted): Json<Wanted>) -> Answer {
    let wait = Duration::from_millis(if app.handle.health().is_draining() { 0 } else { wanted.wait });
    let wish = wish(&app, wanted)?;
    let id = wish.id;
    app.handle.acquire(wish, wait).await?;
    let held = app.handle.lock(id).await?;
    // Its lease may be over already, if whoever asked has chosen a very short one.
    held.map(|held| json(&shown(&held)))
        .ok_or_else(|| Error::conflict("the lease of the lock is over already"))
}

fn wish(app: &App, wanted: Wanted) -> Result<LockWish, Error> {
    if wanted.wait > WAIT_MAX || !(1..=LEASE_MAX).contains(&wanted.lease) {
        let message = format!("`wait` is at most {WAIT_MAX} ms, `lease` 1 to {LEASE_MAX} ms");
        return Err(Error::bad(message));
    }
    if wanted.claims.is_empty() || wanted.claims.len() > CLAIMS_MAX {
        return Err(Error::bad(format!("a lock has 1 to {CLAIMS_MAX} claims")));
    }
    let claims = wanted.claims.into_iter().map(|claim| claim.sound(app)).collect::<Result<Vec<_>, _>>()?;
    let holder = match (asking().name(), wanted.holder.as_str()) {
        (Some(key), "") => key.to_owned(),
        (Some(key), holder) => format!("{holder} ({key})"),
        (None, "") => "somebody".to_owned(),
        (None, holder) => holder.to_owned(),
    };
    if holder.len() > NAME_MAX || holder.chars().any(char::is_control) {
        return Err(Error::bad("a holder has at most 1000 bytes and no control characters"));
    }
    let with = wanted.with.map(|id| lock_id(&id)).transpose()?;
    let lease = Duration::from_millis(wanted.lease);
    Ok(LockWish {
        id: random(),
        holder: holder.into(),
        claims,
        lease,
        with,
        waits: wanted.wait > 0,
        reply: None,
    })
}

/// Names of places in pools, which are no things to work on.
const RESERVED: [&str; 6] = ["workers/", "limit/", "rate/", "run:", "slots", "breaker "];

impl Claim {
    fn sound(self, app: &App) -> Result<LockClaim, Error> {
        let name = self.resource;
        if name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
            let message = format!("a resource has 1 to {NAME_MAX} bytes and no control characters");
            return Err(Error::bad(message));
        }
        if RESERVED.iter().any(|reserved| name.starts_with(reserved)) {
            return Err(Error::bad(format!("`{name}` is no thing to lock")));
        }
        let path = name.strip_prefix("file:").or_else(|| name.strip_prefix("dir:"));
        let dir = app.settings.commands_dir();
        if path.is_some_and(|path| !path.starts_with('/')) && dir.is_none() {
            return Err(Error::bad(format!(
                "`{name}`: a path is absolute where no directory is set for commands"
            )));
        }
        let dir = dir.map(|dir| dir.display().to_string()).unwrap_or_default();
        let mode = if self.shared { ClaimMode::Shared } else { ClaimMode::Exclusive };
        Ok(LockClaim { resource: lock_name(&name, &dir), mode, units: self.units.max(1) })
    }
}

pub(crate) async fn renew(State(app): Shared, Path(id): Path<String>) -> Answer {
    let id = lock_id(&id)?;
    app.handle.renew(id).await?;
    let held = app.handle.lock(id).await?;
    held.map(|held| json(&shown(&held))).ok_or_else(|| no_lock().into())
}

pub(crate) async fn release(State(app): Shared, Path(id): Path<String>) -> Answer {
    app.handle.release(lock_id(&id)?).await?;
    Ok(done())
}

/// Who holds what, who waits, and for whom.
pub(crate) async fn all(State(app): Shared) -> Answer {
    let Contention { held, waiting, things, cut } = app.handle.contention().await?;
    let things = things.iter().map(|thing| {
        value!({"resource": thing.name, "held": thing.held, "capacity": thing.capacity, "waiting": thing.waiting})
    });
    Ok(json(&value!({
        // The id of a lock is what it is renewed and released with: it is told to its holder alone.
        "locks": held.iter().map(without_id).collect::<Vec<_>>(),
        "waiting": waiting.iter().map(contender).collect::<Vec<_>>(),
        "resources": things.collect::<Vec<_>>(),
        "more": cut,
    })))
}

fn contender(waiting: &Contender) -> Value {
    value!({
        "holder": waiting.who,
        "resources": waiting.wants,
        "since": waiting.since.millis(),
        "waitsFor": waiting.waits_for,
    })
}

fn shown(held: &HeldLock) -> Value {
    let mut told = without_id(held);
    told["id"] = format!("{:016x}", held.id).into();
    told
}

fn without_id(held: &HeldLock) -> Value {
    let claims = held.claims.iter().map(|claim| {
        let shared = claim.mode == ClaimMode::Shared;
        value!({"resource": claim.resource, "shared": shared, "units": claim.units})
    });
    value!({
        "holder": &*held.holder,
        "claims": claims.collect::<Vec<_>>(),
        "token": held.token.0,
        "since": held.since.millis(),
        "until": held.until.millis(),
    })
}

fn lock_id(text: &str) -> Result<u64, Error> {
    let sound = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = u64::from_str_radix(text, 16).ok().filter(|_| sound);
    id.ok_or_else(|| no_lock().into())
}

fn no_lock() -> partitur_engine::Refusal {
    partitur_engine::Refusal::NoLock
}
