//! Results that serve again: by Conductor's rules an equal key gives, within a time, an equal result, of tasks and of
//! whole runs.
//!
//! In memory alone: what is lost with the process is worked out once more. Whoever has something done again by hand gets
//! it done again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use partitur_expr::{Lookup, Step, Template, navigate};
use partitur_model::definition::Cache;
use partitur_model::record::{RunOutcome, RunRecord, TaskError, TaskOutcome, TaskRecord};
use partitur_model::{Payload, Timestamp};

use crate::cx::Cx;
use crate::program::ProgramNode;
use crate::room::Known;
use crate::run::{Key, Run};

/// So many results are kept; of more, those go that would serve the shortest.
const RESULTS_MAX: usize = 10_000;
/// So many bytes of them; a result that is larger than a part of that is not kept.
const BYTES_MAX: usize = 64 << 20;
const RESULT_BYTES_MAX: usize = BYTES_MAX / 16;

/// The code of what is said of a run whose result is that of an earlier one.
const CACHED: &str = "cached";

/// Which results are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ResultKey {
    /// Whose: a type of tasks, a task of a definition, a definition.
    of: Arc<str>,
    /// What the key comes to.
    key: Arc<str>,
}

/// The results that are kept.
#[derive(Debug, Default)]
pub(crate) struct Results {
    kept: BTreeMap<ResultKey, Kept>,
    /// By when they cease to serve.
    ends: BTreeSet<(Timestamp, ResultKey)>,
    bytes: usize,
    hits: u64,
    misses: u64,
}

/// How the results stand that are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResultsView {
    /// So many are kept.
    pub kept: usize,
    /// So many bytes.
    pub bytes: usize,
    /// So often one served.
    pub hits: u64,
    /// So often none was there.
    pub misses: u64,
}

#[derive(Debug)]
struct Kept {
    output: Payload,
    until: Timestamp,
    bytes: usize,
}

impl Results {
    /// A result that serves still.
    fn get(&mut self, now: Timestamp, key: &ResultKey) -> Option<Payload> {
        while let Some((_, over)) = self.ends.first().filter(|(until, _)| *until <= now).cloned() {
            self.forget(&over);
        }
        let found = self.kept.get(key).map(|kept| kept.output.clone());
        *(if found.is_some() { &mut self.hits } else { &mut self.misses }) += 1;
        found
    }

    /// How they stand.
    pub(crate) fn view(&self) -> ResultsView {
        let Results { kept, bytes, hits, misses, .. } = self;
        ResultsView { kept: kept.len(), bytes: *bytes, hits: *hits, misses: *misses }
    }

    /// Forgets all of them.
    pub(crate) fn clear(&mut self) {
        self.kept.clear();
        self.ends.clear();
        self.bytes = 0;
    }

    fn keep(&mut self, now: Timestamp, ttl: Duration, key: ResultKey, output: Payload) {
        let bytes = output.render().len() + key.key.len();
        self.forget(&key);
        if bytes > RESULT_BYTES_MAX {
            return;
        }
        let until = now + ttl;
        self.bytes += bytes;
        self.ends.insert((until, key.clone()));
        self.kept.insert(key, Kept { output, until, bytes });
        while self.kept.len() > RESULTS_MAX || self.bytes > BYTES_MAX {
            let (_, first) = self.ends.first().cloned().expect("each result has an end");
            self.forget(&first);
        }
    }

    fn forget(&mut self, key: &ResultKey) {
        if let Some(kept) = self.kept.remove(key) {
            self.bytes -= kept.bytes;
            self.ends.remove(&(kept.until, key.clone()));
        }
    }
}

impl Run {
    /// The result of an equal task, if there is one that serves.
    pub(crate) fn kept_result(
        &self,
        cx: &mut Cx<'_>,
        key: Key,
        record: &TaskRecord,
        node: &ProgramNode,
    ) -> Option<Payload> {
        let (_, result) = self.result_key(key, record, node)?;
        let by_hand = record.served.as_ref().is_some_and(|served| served.by_hand);
        cx.results.get(cx.now, &result).filter(|_| !by_hand)
    }

    /// The task is over without having been executed.
    pub(crate) fn reuse(&mut self, cx: &mut Cx<'_>, key: Key, mut record: TaskRecord, output: Payload) {
        record.cached = true;
        record.started.get_or_insert(cx.now);
        self.succeed(cx, key, record, output);
    }

    /// What the task has yielded may serve others.
    pub(crate) fn keep_result(&self, cx: &mut Cx<'_>, key: Key, record: &TaskRecord, outcome: TaskOutcome) {
        if outcome != TaskOutcome::Succeeded || record.cached {
            return;
        }
        if let Some((cache, result)) = self.result_key(key, record, self.node(key)) {
            let output = record.output.clone().unwrap_or_default();
            cx.results.keep(cx.now, cache.ttl, result, output);
        }
    }

    /// Work for workers is the same whoever wants it; anything else, only in the same place.
    fn result_key<'a>(
        &self,
        key: Key,
        record: &TaskRecord,
        node: &'a ProgramNode,
    ) -> Option<(&'a Cache, ResultKey)> {
        let (cache, served) = (node.spec.cache.as_ref()?, record.served.as_ref()?);
        let of = match node.remote().filter(|remote| !remote.pushed) {
            Some(remote) => remote.task_type.clone(),
            None => format!("{}/{}", self.rec.definition, self.node(key).name).into(),
        };
        Some((cache, ResultKey { of, key: self.equal_by(node.cache_key.as_ref(), &served.input) }))
    }

    /// Without a key of its own, all of the input is the key.
    fn equal_by(&self, key: Option<&Template>, input: &Payload) -> Arc<str> {
        match key {
            Some(key) => key.resolve_text(&Given { input, rec: &self.rec }).into(),
            None => input.render().into(),
        }
    }

    fn run_result_key(&self) -> Option<(Duration, ResultKey)> {
        let (cache, key) = self.program.cache.as_ref()?;
        let of = self.rec.definition.to_string().into();
        Some((cache.ttl, ResultKey { of, key: self.equal_by(key.as_ref(), &self.rec.input) }))
    }

    /// A run whose result is known ends as soon as it is there.
    pub(crate) fn end_as_before(&mut self, cx: &mut Cx<'_>) {
        let known = self.run_result_key().and_then(|(_, result)| cx.results.get(cx.now, &result));
        let Some(output) = known.filter(|_| self.is_running()) else { return };
        self.rec.output = Some(output);
        let said = "its result is that of an earlier run with the same key";
        self.rec.error = Some(TaskError::terminal(CACHED, said));
        self.end_run(cx, RunOutcome::Succeeded);
    }

    /// What the run has yielded may serve others.
    pub(crate) fn keep_own_result(&self, cx: &mut Cx<'_>, outcome: RunOutcome) {
        let is_cached = self.rec.error.as_ref().is_some_and(|error| error.code == CACHED);
        if outcome != RunOutcome::Succeeded || is_cached {
            return;
        }
        if let Some((ttl, result)) = self.run_result_key() {
            cx.results.keep(cx.now, ttl, result, self.rec.output.clone().unwrap_or_default());
        }
    }
}

/// What a key may name: what is given, by name, and what is certain of a run before it begins.
struct Given<'a> {
    input: &'a Payload,
    rec: &'a RunRecord,
}

impl Lookup for Given<'_> {
    fn lookup(&self, head: &str, steps: &[Step]) -> Option<Payload> {
        match self.input.member(head) {
            Some(value) => navigate(&value, steps),
            None => Known(self.rec).lookup(head, steps),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> ResultKey {
        ResultKey { of: "t".into(), key: text.into() }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn a_result_serves_until_its_time_is_over() {
        let mut results = Results::default();
        results.keep(at(0), Duration::from_secs(10), key("a"), Payload::from(1));
        assert_eq!(results.get(at(9), &key("a")), Some(Payload::from(1)));
        assert_eq!(results.get(at(9), &key("b")), None);
        assert_eq!(results.get(at(10), &key("a")), None);
        assert_eq!((results.bytes, results.ends.len()), (0, 0), "nothing of it is left");
    }

    #[test]
    fn of_too_many_those_go_that_serve_the_shortest() {
        let mut results = Results::default();
        for number in 0..=RESULTS_MAX as u64 {
            results.keep(
                at(0),
                Duration::from_secs(20_000 - number),
                key(&number.to_string()),
                Payload::Null,
            );
        }
        assert_eq!(results.kept.len(), RESULTS_MAX);
        assert_eq!(results.get(at(0), &key(&RESULTS_MAX.to_string())), None);
        assert!(results.get(at(0), &key("0")).is_some());
        let large = Payload::string(&"x".repeat(RESULT_BYTES_MAX));
        results.keep(at(0), Duration::from_secs(1), key("0"), large);
        assert_eq!(results.get(at(0), &key("0")), None, "the old one is no longer true");
    }
}
