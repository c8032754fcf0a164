//! Processes that live at the same time never hold what excludes each other, whichever start of the node began them.

use partitur_engine::Effect;
use partitur_model::definition::ClaimMode;

use super::{Checker, Scene, Seen};
use crate::workload::RESOURCES;

/// Compares each claim with each.
pub struct Locks;

impl Checker for Locks {
    fn watch(&mut self, scene: &Scene<'_>, seen: &Seen<'_>) -> Result<(), String> {
        let Seen::Effect(Effect::Dispatch { dispatch, .. }) = seen else { return Ok(()) };
        for claim in &dispatch.claims {
            let others = scene.processes.live.iter().filter(|(id, _)| **id != dispatch.attempt);
            let held = others.flat_map(|(_, process)| {
                process.dispatch.claims.iter().map(|held| (&process.dispatch, held))
            });
            let mut units = claim.units;
            for (holder, held) in held {
                if excludes((&claim.resource, claim.mode), (&held.resource, held.mode)) {
                    return Err(format!(
                        "`{}` gets {claim:?} while `{}` lives with {held:?}",
                        dispatch.path, holder.path
                    ));
                }
                if held.resource == claim.resource && claim.mode == ClaimMode::Exclusive {
                    units += held.units;
                }
            }
            if claim.mode == ClaimMode::Exclusive && units > capacity(&claim.resource) {
                return Err(format!("{units} units of {} are given out", claim.resource));
            }
        }
        Ok(())
    }
}

/// Whether two claims can never be held by two at once, capacities apart.
pub fn excludes((a, a_mode): (&str, ClaimMode), (b, b_mode): (&str, ClaimMode)) -> bool {
    if a_mode == ClaimMode::Shared && b_mode == ClaimMode::Shared {
        return false;
    }
    match (path(a), path(b)) {
        (Some(a), Some(b)) => covers(a, b) || covers(b, a),
        (None, None) => a == b && a_mode != b_mode,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn path(resource: &str) -> Option<&str> {
    resource.strip_prefix("file:").or_else(|| resource.strip_prefix("dir:"))
}

fn covers(above: &str, below: &str) -> bool {
    let above = above.trim_end_matches('/');
    below.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn capacity(resource: &str) -> u32 {
    let declared = RESOURCES.iter().find(|(name, _)| {
        name.strip_suffix('*').map_or(*name == resource, |prefix| resource.starts_with(prefix))
    });
    declared.map_or(1, |(_, units)| *units)
}
