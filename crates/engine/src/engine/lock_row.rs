//! The row of a lock that somebody outside holds: written when it is granted and renewed, read when the node starts.

use std::time::Duration;

use partitur_model::catalogue::{Entry, EntryKind};
use partitur_model::definition::ClaimMode;
use partitur_model::{FencingToken, Payload, RawJson, Timestamp};
use serde_json::Value;

use super::outside::{HeldLock, LockClaim};

/// The row of a lock.
pub(super) fn entry(held: &HeldLock, now: Timestamp) -> Entry {
    let time = |time: Timestamp| Payload::from(time.millis());
    let claims = held.claims.iter().map(|claim| {
        let exclusive = claim.mode == ClaimMode::Exclusive;
        Payload::object([
            ("resource", Payload::string(&claim.resource)),
            ("exclusive", Payload::from(exclusive)),
            ("units", Payload::from(u64::from(claim.units))),
        ])
    });
    let body = Payload::object([
        ("holder", Payload::string(&held.holder)),
        ("claims", Payload::list(claims)),
        ("token", Payload::from(held.token.0)),
        ("eldest", Payload::from(held.eldest.0)),
        ("until", time(held.until)),
        ("lease", Payload::from(held.lease.as_millis() as u64)),
    ]);
    Entry {
        kind: EntryKind::Lock,
        name: format!("{:016x}", held.id).into(),
        version: 0,
        body: Some(RawJson::trusted(body.render())),
        created: held.since,
        updated: now,
    }
}

/// What those outside held when the node ended, as the rows of its catalogue say. A row that cannot be read holds nothing.
pub fn held_locks_in<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<HeldLock> {
    let locks = entries.into_iter().filter(|entry| entry.kind == EntryKind::Lock);
    locks.filter_map(held).collect()
}

fn held(entry: &Entry) -> Option<HeldLock> {
    let row: Value = serde_json::from_str(entry.body.as_ref()?.as_str()).ok()?;
    let number = |name: &str| row[name].as_u64();
    Some(HeldLock {
        id: u64::from_str_radix(&entry.name, 16).ok()?,
        holder: row["holder"].as_str()?.into(),
        claims: row["claims"].as_array()?.iter().map(claim).collect::<Option<_>>()?,
        token: FencingToken(number("token")?),
        since: entry.created,
        until: Timestamp::from_millis(number("until")?),
        lease: Duration::from_millis(number("lease")?),
        eldest: FencingToken(number("eldest")?),
    })
}

fn claim(row: &Value) -> Option<LockClaim> {
    let exclusive = row["exclusive"].as_bool()?;
    Some(LockClaim {
        resource: row["resource"].as_str()?.to_owned(),
        mode: if exclusive { ClaimMode::Exclusive } else { ClaimMode::Shared },
        units: u32::try_from(row["units"].as_u64()?).ok()?,
    })
}
