//! Fencing tokens are never used twice, rise from start to start of the node, and rise for each task and each lock.

use std::collections::{BTreeMap, BTreeSet};

use partitur_engine::Effect;
use partitur_model::definition::ClaimMode;
use partitur_model::{AttemptId, FencingToken, RunId, TaskSeq};

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
        if let Seen::Effect(Effect::HandOut { tasks, .. }) = seen {
            return tasks.iter().try_for_each(|handed| self.given(handed.attempt, &handed.task.path));
        }
        let Seen::Effect(Effect::Dispatch { dispatch, .. }) = seen else { return Ok(()) };
        self.given(dispatch.attempt, &dispatch.path)?;
        let token = dispatch.attempt.token;
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

impl Tokens {
    /// An attempt gets its token.
    fn given(&mut self, attempt: AttemptId, path: &str) -> Result<(), String> {
        let token = attempt.token;
        if !self.given.insert(token) {
            return Err(format!("token {token} is given to `{path}` and to another attempt"));
        }
        if token <= self.before {
            return Err(format!("token {token} is not larger than those of earlier starts"));
        }
        let task = (attempt.run, attempt.task);
        if self.of_tasks.insert(task, token).is_some_and(|before| before >= token) {
            return Err(format!("token {token} of `{path}` is not larger than that before"));
        }
        Ok(())
    }
}
