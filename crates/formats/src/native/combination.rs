//! Keys that belong together, exclude each other, or name what the document must declare.

use std::sync::LazyLock;

use hashbrown::HashSet;
use partitur_model::definition::{Definition, Node};
use partitur_model::{Fault, Place};

use super::task::TASK_KEYS;
use crate::codes;
use crate::reader::{Given, Reader, listed, shorten, with_meant};

/// Keys that mean nothing without one of some others.
const COMPANIONS: &[(&[&str], &[&str])] = &[
    (&["shell", "dir", "env", "clean-env"], &["run", "undo"]),
    (&["stdin", "output", "service"], &["run"]),
    (&["first-only"], &["rules"]),
    (&["with"], &["flow"]),
    (&["key", "max-parallel", "batch", "fail-fast", "tasks"], &["for-each", "matrix"]),
];

/// Keys that belong to what is executed, so not to a task that is made of tasks.
const OF_ATTEMPTS: &[&str] = &[
    "timeout",
    "retry",
    "locks",
    "reads",
    "writes",
    "cache",
    "undo",
    "breaker",
    "at-most-once",
    "secrets",
    "agent",
    "type",
    "context",
    "expected",
];

/// Keys that belong to what comes to an end by itself.
const NOT_OF_SERVICES: &[&str] = &["timeout", "cache", "undo", "output"];

/// The keys of which a task has one.
const ACTIONS: &[&str] = &["run", "http", "wait", "eval", "rules", "flow", "switch", "loop", "tasks"];

/// The sets of keys above as bits: most tasks give no reason to look closer.
struct Sets {
    actions: Given,
    needs: Given,
    branches: Given,
    containers: Given,
    of_attempts: Given,
    services: Given,
    /// All keys that need a companion.
    followers: Given,
}

static SETS: LazyLock<Sets> = LazyLock::new(|| {
    let set = |names: &[&str]| Given::of(TASK_KEYS, names);
    let followers: Vec<&str> = COMPANIONS.iter().flat_map(|(keys, _)| keys.iter().copied()).collect();
    Sets {
        actions: set(ACTIONS),
        needs: set(&["needs"]),
        branches: set(&["for-each", "matrix"]),
        containers: set(&["loop", "tasks"]),
        of_attempts: set(OF_ATTEMPTS),
        services: set(&["service"]),
        followers: set(&followers),
    }
});

/// A task does one thing.
pub(super) fn check_actions(reader: &mut Reader<'_>, given: Given, node: &Node) {
    let sets = &*SETS;
    let actions = given.and(sets.actions);
    if actions.count() > 1 {
        let names = actions.names(TASK_KEYS);
        let message = format!("task `{}` has {}, but a task does one thing", node.name, listed(&names));
        let fault =
            Fault::error(codes::CONFLICT, node.place.member(names[1]), message).label("the second action");
        reader.fault(fault.hint("make a task of each"));
    }
    // A task that only needs others is a point where they meet.
    let meets = given.and(sets.needs).count() > 0 && given.and(sets.branches).count() == 0;
    if actions.count() == 0 && !meets && !given.unknown {
        let message = format!("task `{}` does nothing", node.name);
        let fault = Fault::error(codes::NO_ACTION, node.place.clone(), message).label("no action");
        reader.fault(fault.hint(format!("give it one of {}", ACTIONS[..8].join(", "))));
    }
}

/// Refuses keys that would change nothing: whoever wrote them expects something of them.
pub(super) fn check_companions(reader: &mut Reader<'_>, given: Given, node: &Node) {
    let sets = &*SETS;
    let lonely = |key: &str, why: String| {
        Fault::error(codes::WITHOUT_EFFECT, node.place.member(key), why).label("no effect")
    };
    if given.and(sets.followers).count() > 0 {
        for (keys, companions) in COMPANIONS {
            if given.and(Given::of(TASK_KEYS, companions)).count() > 0 {
                continue;
            }
            for key in given.and(Given::of(TASK_KEYS, keys)).names(TASK_KEYS) {
                let why = format!("`{key}` has no effect without `{}`", companions.join("` or `"));
                reader.fault(lonely(key, why));
            }
        }
    }
    if given.and(sets.services).count() > 0 {
        for key in given.and(Given::of(TASK_KEYS, NOT_OF_SERVICES)).names(TASK_KEYS) {
            let why = format!("`{key}` has no effect on a service: it ends when nobody needs it");
            reader.fault(lonely(key, why));
        }
        for key in given.and(sets.branches).names(TASK_KEYS) {
            let message =
                format!("a service cannot be repeated by itself: nobody in a branch of `{key}` needs it");
            let fault = Fault::error(codes::CONFLICT, node.place.member(key), message).label("repeats it");
            reader.fault(fault.hint("put it under `tasks:` together with those that need it"));
        }
    }
    if given.and(sets.containers).count() > 0 {
        for key in given.and(sets.of_attempts).names(TASK_KEYS) {
            let why = format!("`{key}` has no effect on a task that is made of tasks");
            reader.fault(lonely(key, why).hint("give it to the tasks of the body"));
        }
    }
}

/// What a document declares at its top, so that a slip of the pen does not make a new one.
#[derive(Default)]
pub(crate) struct Declared {
    secrets: HashSet<String>,
    breakers: HashSet<String>,
}

impl Declared {
    pub(crate) fn by(document: &Definition) -> Declared {
        Declared {
            secrets: document.secrets.iter().cloned().collect(),
            breakers: document.breakers.iter().map(|breaker| breaker.name.clone()).collect(),
        }
    }

    /// Refuses what a task uses and the document does not declare.
    pub(crate) fn check(&self, reader: &mut Reader<'_>, node: &Node) {
        for secret in node.secrets.iter().filter(|secret| !self.secrets.contains(*secret)) {
            undeclared(reader, node.place.member("secrets"), ("secret", "secrets"), secret, &self.secrets);
        }
        if let Some(breaker) = node.breaker.as_ref().filter(|breaker| !self.breakers.contains(*breaker)) {
            undeclared(
                reader,
                node.place.member("breaker"),
                ("breaker", "breakers"),
                breaker,
                &self.breakers,
            );
        }
    }
}

fn undeclared(
    reader: &mut Reader<'_>,
    place: Place,
    (what, key): (&str, &str),
    name: &str,
    known: &HashSet<String>,
) {
    if reader.is_full() {
        return;
    }
    let shown = shorten(name);
    let message = format!("the document declares no {what} `{shown}`");
    let fault = Fault::error(codes::UNDECLARED, place, message).label(format!("unknown {what}"));
    let mut known: Vec<&str> = known.iter().map(String::as_str).collect();
    known.sort_unstable();
    let fault = with_meant(fault, name, known);
    let hint = format!("declare it at the top: `{key}: [{shown}]`");
    reader.fault(if fault.hint.is_some() { fault } else { fault.hint(hint) });
}
