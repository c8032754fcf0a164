//! Fencing tokens are never used twice, rise from start to start of the node, and rise for each task and each lock.

use std::collections::{BTreeMap, BTreeSet};

use partitur_engine::Effect;
use partitur_model::definition::ClaimMode;
use partitur_model::{FencingToken, RunId, TaskSeq};

use super::{Checker, Scene, Seen};

/// Remembers every token.
#[derive(Default)]
pub struct Tokens {
    given: BTreeSet<FencingToken>,
    /// The largest of earlier starts.
    before: FencingToken,
    of_tasks: BTreeMap<(RunId, TaskSeq), FencingToken>,
    of_locks: BTreeMap<String, FencingToken>,
}

impl Checker for Tokens {
    fn watch(&mut self, _: &Scene<'_>, seen: &Seen<'_>) -> Result<(), String> {
        if let Seen::Started(_) = seen {
            // A start that died before anything of it was durable leaves no trace, its number included.
            self.before = self.given.last().copied().unwrap_or_default();
            return Ok(());
        }
        let Seen::Effect(Effect::Dispatch { dispatch, .. }) = seen else { return Ok(()) };
        let token = dispatch.attempt.token;
        if !self.given.insert(token) {
            return Err(format!("token {token} is given to `{}` and to another attempt", dispatch.path));
        }
        if token <= self.before {
            return Err(format!("token {token} is not larger than those of earlier starts"));
        }
        let task = (dispatch.attempt.run, dispatch.attempt.task);
        if self.of_tasks.insert(task, token).is_some_and(|before| before >= token) {
            return Err(format!("token {token} of `{}` is not larger than that before", dispatch.path));
        }
        for claim in dispatch.claims.iter().filter(|claim| claim.mode == ClaimMode::Exclusive) {
            let before = self.of_locks.insert(claim.resource.clone(), token);
            // Units of a counted resource are given to several at once, whose hand-outs may overtake each other.
            if claim.resource.contains(':') && before.is_some_and(|before| before >= token) {
                return Err(format!("token {token} for {} is not larger than that before", claim.resource));
            }
        }
        Ok(())
    }
}
