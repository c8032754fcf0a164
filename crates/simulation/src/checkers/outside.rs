//! Locks of those outside: holders never conflict, tokens rise, what is held is durable and survives a start, leases end,
//! and nobody waits in a ring.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use partitur_engine::{Answer, Effect, HeldLock, LockClaim, OUTSIDE};
use partitur_model::FencingToken;
use partitur_model::catalogue::EntryKind;
use partitur_model::definition::ClaimMode;

use super::locks::excludes;
use super::{Checker, Scene, Seen};

/// Remembers the largest token that anybody was told of.
#[derive(Default)]
pub struct Outside {
    largest: FencingToken,
}

impl Checker for Outside {
    fn watch(&mut self, scene: &Scene<'_>, seen: &Seen<'_>) -> Result<(), String> {
        match seen {
            Seen::Effect(Effect::Reply { to, answer: Answer::Done }) => {
                scene.house.agents.wanted(*to).map_or(Ok(()), |id| self.held(scene, id))
            }
            Seen::Started(_) => all_are_held_again(scene),
            Seen::Rest => {
                nobody_conflicts(scene)?;
                nobody_waits_for_himself(scene)?;
                if scene.in_trouble { Ok(()) } else { leases_end(scene) }
            }
            Seen::Idle => match scene.engine.wanted_locks().first() {
                Some(wanted) => Err(format!("{wanted:?} waits for ever")),
                None => Ok(()),
            },
            Seen::Effect(_) | Seen::Commit(_) | Seen::Killed | Seen::Forgotten(_) => Ok(()),
        }
    }
}

fn name(id: u64) -> String {
    format!("{id:016x}")
}

impl Outside {
    /// An agent hears that it holds a lock. It may have lost it since, and what follows from that is on its way.
    fn held(&mut self, scene: &Scene<'_>, id: u64) -> Result<(), String> {
        let Some(row) = scene.durable.entry(EntryKind::Lock, &name(id), 0) else {
            let is_over = scene.engine.held_lock(id).is_none();
            return if is_over { Ok(()) } else { Err(format!("lock {id:x} is held before that is durable")) };
        };
        let held = partitur_engine::held_locks_in([row]);
        let token = held.first().ok_or("a lock that cannot be read")?.token;
        if token <= self.largest {
            return Err(format!("the token {token} of a lock is not larger than {}", self.largest));
        }
        self.largest = token;
        Ok(())
    }
}

fn all_are_held_again(scene: &Scene<'_>) -> Result<(), String> {
    let rows: BTreeSet<&str> = scene.durable.entries(EntryKind::Lock).map(|entry| &*entry.name).collect();
    let held: BTreeSet<String> = scene.engine.held_locks().map(|held| name(held.id)).collect();
    match rows.iter().find(|name| !held.contains(**name)) {
        Some(name) => Err(format!("lock {name} was held, and is not after a start")),
        None => Ok(()),
    }
}

fn nobody_conflicts(scene: &Scene<'_>) -> Result<(), String> {
    let held: Vec<&HeldLock> = scene.engine.held_locks().collect();
    for (at, one) in held.iter().enumerate() {
        for other in &held[..at] {
            let conflict =
                one.claims.iter().any(|claim| other.claims.iter().any(|held| conflicts(claim, held)));
            if conflict {
                return Err(format!("{one:?} and {other:?} are held together"));
            }
            if one.token == other.token {
                return Err(format!("{one:?} and {other:?} share a token"));
            }
        }
    }
    Ok(())
}

/// Of what nobody has declared there is one.
fn conflicts(a: &LockClaim, b: &LockClaim) -> bool {
    let both_alone = a.mode == ClaimMode::Exclusive && b.mode == ClaimMode::Exclusive;
    (a.resource == b.resource && both_alone) || excludes((&a.resource, a.mode), (&b.resource, b.mode))
}

fn leases_end(scene: &Scene<'_>) -> Result<(), String> {
    match scene.engine.held_locks().find(|held| held.until <= scene.clock) {
        Some(held) => Err(format!("the lease of {held:?} has ended")),
        None => Ok(()),
    }
}

/// Whoever waits for somebody who waits, and so on, comes to somebody who does not.
fn nobody_waits_for_himself(scene: &Scene<'_>) -> Result<(), String> {
    let mut waits: BTreeMap<Arc<str>, BTreeSet<String>> = BTreeMap::new();
    for wanted in scene.engine.wanted_locks() {
        let holders = wanted.waits_for.iter().filter(|task| task.run == OUTSIDE);
        let holders = holders.map(|&task| scene.engine.name_of(task)).filter(|name| **name != *wanted.holder);
        waits.entry(wanted.holder.clone()).or_default().extend(holders);
    }
    for start in waits.keys() {
        let (mut seen, mut ahead) = (BTreeSet::new(), vec![start.to_string()]);
        while let Some(agent) = ahead.pop() {
            for next in waits.get(&*agent).into_iter().flatten() {
                if **next == **start {
                    return Err(format!("{start} waits for itself: {waits:?}"));
                }
                if seen.insert(next.clone()) {
                    ahead.push(next.clone());
                }
            }
        }
    }
    Ok(())
}
