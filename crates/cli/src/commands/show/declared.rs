//! What a document declares about a run and its tasks, in words.

use partitur_model::definition::{
    Backoff, Cache, Claim, ClaimMode, Definition, Kind, Node, OnFailure, Otherwise, Priority, Ready, Retry,
    Scope, Service, Timeouts,
};
use partitur_model::unit::format_duration;
use serde_json::{Value, json};

/// What is declared for the whole run.
pub fn run_lines(definition: &Definition) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    match definition.on_failure {
        OnFailure::Continue => {}
        OnFailure::FailFast => lines.push(("on failure", "fail fast".to_owned())),
        OnFailure::Rollback => lines.push(("on failure", "roll back".to_owned())),
    }
    if let Some(concurrency) = definition.concurrency {
        let (min, max) = (concurrency.min, concurrency.max);
        lines.push(("at once", if min == max { max.to_string() } else { format!("{min} to {max}") }));
    }
    if let Some(timeout) = definition.timeout {
        lines.push(("timeout", format_duration(timeout)));
    }
    if !definition.resources.is_empty() {
        let units = definition.resources.iter().map(|spec| format!("{} {}", spec.name, spec.units));
        lines.push(("resources", units.collect::<Vec<_>>().join(" · ")));
    }
    if !definition.breakers.is_empty() {
        let breakers = definition
            .breakers
            .iter()
            .map(|spec| format!("{} (opens after {} failures)", spec.name, spec.failures_max));
        lines.push(("breakers", breakers.collect::<Vec<_>>().join(" · ")));
    }
    if let Some(deduplicate) = &definition.deduplicate {
        let window = format_duration(deduplicate.window);
        lines.push(("deduplicated", format!("by {} within {window}", deduplicate.key.0)));
    }
    lines
}

/// The same for scripts.
pub fn run_json(definition: &Definition) -> Value {
    let lines = run_lines(definition).into_iter().map(|(name, text)| (name.replace(' ', "_"), json!(text)));
    Value::Object(lines.collect())
}

/// A task's declarations, and of a list of equal parts those of a part.
pub fn words_with_parts(node: &Node) -> Vec<String> {
    let mut words = node_words(node);
    if let Kind::Each(each) = &node.kind
        && let [part] = each.body.nodes.as_slice()
        && part.name == node.name
    {
        words.extend(node_words(part));
    }
    words
}

/// A task's declarations, a few words each.
pub fn node_words(node: &Node) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    if !node.claims.is_empty() {
        let words_of = |claim: &Claim| {
            // What a rule has found stands where its task does.
            let found = if claim.place == node.place { " (found)" } else { "" };
            claim_words(claim) + found
        };
        let locks = node.claims.iter().map(words_of).collect::<Vec<_>>().join(", ");
        words.push(format!("locks {locks}"));
    }
    words.extend(node.retry.as_deref().map(retry_words));
    words.extend(timeout_words(&node.timeouts));
    words.extend(node.breaker.as_ref().map(|name| format!("breaker {name}")));
    words.extend(match node.priority {
        Priority::Critical => Some("critical priority".to_owned()),
        Priority::High => Some("high priority".to_owned()),
        Priority::Normal => None,
        Priority::Low => Some("low priority".to_owned()),
    });
    if let Some(when) = &node.when {
        let otherwise = match when.otherwise {
            Otherwise::Skip => "",
            Otherwise::Fail => ", else fail",
            Otherwise::Notify => ", else notify",
        };
        words.push(format!("when {}{otherwise}", when.condition.0));
    }
    words
        .extend(node.cache.as_ref().map(|Cache { ttl, .. }| format!("cached for {}", format_duration(*ttl))));
    words.extend(kind_words(&node.kind));
    if node.undo.is_some() {
        words.push("can be undone".to_owned());
    }
    if node.optional {
        words.push("optional".to_owned());
    }
    if node.at_most_once {
        words.push("at most once".to_owned());
    }
    words.extend(node.agent.as_ref().map(|agent| format!("agent {}", agent.0)));
    words
}

fn claim_words(claim: &Claim) -> String {
    let units = if claim.units > 1 { format!(" ×{}", claim.units) } else { String::new() };
    let mode = match claim.mode {
        ClaimMode::Exclusive => "",
        ClaimMode::Shared => " shared",
    };
    let expires =
        claim.expires.map_or_else(String::new, |expires| format!(" expires {}", format_duration(expires)));
    format!("{}{units}{mode}{expires}", claim.resource.0)
}

fn retry_words(retry: &Retry) -> String {
    let backoff = match retry.backoff {
        Backoff::Fixed => "fixed",
        Backoff::Linear => "linear",
        Backoff::Exponential { .. } => "exponential",
    };
    let errors =
        if retry.errors.is_empty() { String::new() } else { format!(" on {}", retry.errors.join(", ")) };
    format!(
        "up to {} attempts ({backoff} from {} to {}){errors}",
        retry.attempts,
        format_duration(retry.base),
        format_duration(retry.max)
    )
}

fn timeout_words(timeouts: &Timeouts) -> Vec<String> {
    let words = |name: &str, time: Option<std::time::Duration>| {
        time.map(|time| format!("{name} {}", format_duration(time)))
    };
    [
        words("timeout", timeouts.attempt),
        words("heartbeat", timeouts.heartbeat),
        words("queue timeout", timeouts.queue),
        words("total timeout", timeouts.total),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn kind_words(kind: &Kind) -> Vec<String> {
    match kind {
        Kind::Each(each) => {
            let parallel = each.max_parallel.map(|count| format!("{count} parts at once"));
            let batch = each.batch.map(|size| format!("batches of {size}"));
            [parallel, batch].into_iter().flatten().collect()
        }
        Kind::Loop(body) if body.iterations_max == u32::MAX => Vec::new(),
        Kind::Loop(body) => vec![format!("at most {} iterations", body.iterations_max)],
        Kind::Command(command) => command.service.iter().map(|service| service_words(service)).collect(),
        Kind::Http(_)
        | Kind::Remote(_)
        | Kind::Wait(_)
        | Kind::Evaluate(_)
        | Kind::SubRun(_)
        | Kind::Start(_)
        | Kind::Expand(_)
        | Kind::Switch(_)
        | Kind::Join(_)
        | Kind::Terminate(_)
        | Kind::SetVariables(_)
        | Kind::Noop => Vec::new(),
    }
}

fn service_words(service: &Service) -> String {
    let up = match &service.ready {
        Ready::Started => "when it is started".to_owned(),
        Ready::Port(port) => format!("when port {} takes connections", port.0),
        Ready::Http(url) => format!("when {} answers", url.0),
        Ready::Line(text) => format!("when it writes `{text}`"),
        Ready::Command(_) => "when its command says so".to_owned(),
    };
    format!("service, up {up}, within {}", format_duration(service.within))
}

/// The node of this name, wherever it stands.
pub fn find<'a>(scope: &'a Scope, name: &str) -> Option<&'a Node> {
    let here = scope.nodes.iter().find(|node| node.name == *name);
    here.or_else(|| scope.nodes.iter().find_map(|node| find(node.kind.body()?, name)))
}
