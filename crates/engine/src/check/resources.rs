//! What is declared, and what tasks ask for.

use hashbrown::{HashMap, HashSet};
use partitur_model::definition::{Claim, ClaimMode, Definition, Node, ResourceSpec};
use partitur_model::fault::did_you_mean;
use partitur_model::{Fault, Place};

use super::outline::Outline;
use super::suggest::Suggest;
use super::{Cx, Found, Part, codes};

/// Whether it is held whole: it has no units.
fn is_whole(name: &str) -> bool {
    let is_path = ["file:", "dir:"].iter().any(|kind| name.starts_with(kind));
    is_path || partitur_graph::kind_of(name).is_some_and(|kind| kind.whole)
}

pub(super) fn check(cx: &Cx<'_>, found: &mut Found) {
    let declared = Declared::of(cx);
    let suggest = Suggest::new();
    for task in &cx.outline.tasks {
        let part = Part::Task(task.rank);
        for claim in &task.node.claims {
            found.faults.extend(units(&declared, claim, &suggest).map(|fault| (part, fault)));
        }
        same_claims(task.node, part, found);
        names(&declared, task.node, part, &suggest, found);
    }
    declared_twice(cx, found);
    unused(cx, found);
}

/// What the file and its document declare.
struct Declared<'d> {
    resources: Vec<&'d ResourceSpec>,
    exact: HashMap<&'d str, u32>,
    breakers: HashSet<&'d str>,
    secrets: HashSet<&'d str>,
}

impl<'d> Declared<'d> {
    fn of(cx: &Cx<'d>) -> Declared<'d> {
        let own = std::iter::once(cx.definition);
        let both = || own.clone().chain((!std::ptr::eq(cx.main, cx.definition)).then_some(cx.main));
        let resources: Vec<_> = both().flat_map(|definition| &definition.resources).collect();
        Declared {
            exact: resources.iter().rev().map(|spec| (spec.name.as_str(), spec.units)).collect(),
            resources,
            breakers: both().flat_map(|it| &it.breakers).map(|breaker| breaker.name.as_str()).collect(),
            secrets: both().flat_map(|it| &it.secrets).map(String::as_str).collect(),
        }
    }

    /// The capacity of a resource: what is declared for its name, else for its longest prefix.
    fn capacity(&self, claimed: &Claimed<'_>) -> Option<u32> {
        if let Some(units) = claimed.whole().and_then(|name| self.exact.get(name)) {
            return Some(*units);
        }
        let prefixes =
            self.resources.iter().filter_map(|spec| Some((spec.name.strip_suffix('*')?, spec.units)));
        prefixes
            .filter(|(prefix, _)| claimed.certain.starts_with(prefix))
            .max_by_key(|(prefix, _)| prefix.len())
            .map(|(_, units)| units)
    }
}

/// The name of a resource, as far as it is known.
struct Claimed<'a> {
    /// What stands before the first `${…}`.
    certain: &'a str,
    is_whole: bool,
}

impl<'a> Claimed<'a> {
    fn of(claim: &'a Claim) -> Claimed<'a> {
        match claim.resource.0.find("${") {
            Some(open) => Claimed { certain: &claim.resource.0[..open], is_whole: false },
            None => Claimed { certain: &claim.resource.0, is_whole: true },
        }
    }

    fn whole(&self) -> Option<&'a str> {
        self.is_whole.then_some(self.certain)
    }

    /// Whether it may mean what is declared so.
    fn may_be(&self, spec: &ResourceSpec) -> bool {
        match (spec.name.strip_suffix('*'), self.is_whole) {
            (Some(prefix), true) => self.certain.starts_with(prefix),
            (Some(prefix), false) => self.certain.starts_with(prefix) || prefix.starts_with(self.certain),
            (None, true) => self.certain == spec.name,
            (None, false) => spec.name.starts_with(self.certain),
        }
    }
}

/// Whether there is as much as is asked for.
fn units(declared: &Declared<'_>, claim: &Claim, suggest: &Suggest) -> Option<Fault> {
    let claimed = Claimed::of(claim);
    let (name, units) = (&claim.resource.0, claim.units);
    if is_whole(name) {
        let message = format!("`{name}` is held whole: there are no {units} units of it");
        let fault = Fault::error(codes::TOO_MANY_UNITS, claim.place.clone(), message).label("more than one");
        return (units > 1).then(|| fault.hint("count a resource with `resources:`"));
    }
    if let Some(capacity) = declared.capacity(&claimed) {
        let message = format!("{units} units of `{name}` can never be had: there are {capacity}");
        let fault = Fault::error(codes::TOO_MANY_UNITS, claim.place.clone(), message).label("too many");
        return (units > capacity).then(|| fault.hint("ask for less, or declare more under `resources`"));
    }
    let known = declared.resources.iter().map(|spec| spec.name.as_str());
    let whole = claimed.whole()?;
    let near = suggest.near(whole, known).map(|near| format!("did you mean `{near}`?"));
    if units > 1 {
        let message =
            format!("{units} units of `{name}` can never be had: it is not declared, so there is one");
        let fault = Fault::error(codes::UNDECLARED_UNITS, claim.place.clone(), message).label("not declared");
        let declare = || format!("declare how much there is: `resources: {{ {name}: {units} }}`");
        return Some(fault.hint(near.unwrap_or_else(declare)));
    }
    let message = format!("`{name}` is not declared, but a name much like it is");
    let fault = Fault::warning(codes::NEAR_NAME, claim.place.clone(), message).label("a lock of its own");
    near.map(|near| fault.hint(near))
}

/// One task that asks for one thing several times.
fn same_claims(node: &Node, part: Part, found: &mut Found) {
    for (at, claim) in node.claims.iter().enumerate() {
        let Some(earlier) = node.claims[..at].iter().find(|other| other.resource == claim.resource) else {
            continue;
        };
        let name = &claim.resource.0;
        let (message, hint) = if earlier.mode == claim.mode {
            (format!("`{name}` is asked for twice"), "the task gets the larger of both: keep one")
        } else {
            (
                format!("`{name}` is asked for both exclusively and shared"),
                "the exclusive one counts: keep one",
            )
        };
        let fault = Fault::warning(codes::SAME_CLAIM, claim.place.clone(), message).label("named before");
        found.add(part, fault.hint(hint));
    }
}

/// Breakers and secrets that nobody declares.
fn names(declared: &Declared<'_>, node: &Node, part: Part, suggest: &Suggest, found: &mut Found) {
    let mut unknown = |code, place: Place, what: &str, name: &str, known: &HashSet<&str>| {
        let mut known: Vec<&str> = known.iter().copied().collect();
        known.sort_unstable();
        let hint = suggest.hint(name, known.into_iter());
        let declare = || format!("declare it at the top: `{what}s: [{name}]`");
        let fault = Fault::error(code, place, format!("the document declares no {what} `{name}`"));
        found.add(part, fault.label(format!("unknown {what}")).hint(hint.unwrap_or_else(declare)));
    };
    if let Some(breaker) = node.breaker.as_deref().filter(|name| !declared.breakers.contains(name)) {
        unknown(codes::UNKNOWN_BREAKER, node.place.member("breaker"), "breaker", breaker, &declared.breakers);
    }
    for (at, secret) in node.secrets.iter().enumerate() {
        if !declared.secrets.contains(secret.as_str()) {
            let place = node.place.member("secrets").element(at);
            unknown(codes::UNKNOWN_SECRET, place, "secret", secret, &declared.secrets);
        }
    }
}

fn declared_twice(cx: &Cx<'_>, found: &mut Found) {
    let definition = cx.definition;
    let mut twice = |what: &str, names: &mut dyn Iterator<Item = (&str, Place)>| {
        let mut seen: HashSet<String> = HashSet::new();
        for (name, place) in names {
            if !seen.insert(name.to_owned()) {
                let message = format!("the {what} `{name}` is declared twice");
                let fault = Fault::error(codes::DUPLICATE, place, message).label("declared before");
                found.add(Part::Head, fault.hint("keep one of them"));
            }
        }
    };
    twice("input", &mut definition.inputs.iter().map(|it| (it.name.as_str(), it.place.clone())));
    twice("resource", &mut definition.resources.iter().map(|it| (it.name.as_str(), it.place.clone())));
    let breakers = || cx.top("breakers");
    twice(
        "breaker",
        &mut definition.breakers.iter().map(|it| (it.name.as_str(), breakers().member(&it.name))),
    );
    let secrets = || cx.top("secrets");
    let numbered = definition.secrets.iter().enumerate();
    twice("secret", &mut numbered.map(|(at, it)| (it.as_str(), secrets().element(at))));
}

/// What is declared in vain. A sub-flow may use what its document declares.
fn unused(cx: &Cx<'_>, found: &mut Found) {
    let used = Used::by(cx);
    let mut unused = |what: &str, name: &str, place: Place, near: Option<&str>| {
        let message = format!("the {what} `{name}` is declared, but no task uses it");
        let mut fault = Fault::warning(codes::UNUSED, place, message).label("not used");
        fault.hint = near.map(|near| format!("`{near}` is used, and not declared"));
        found.add(Part::Head, fault);
    };
    for spec in &cx.definition.resources {
        if !used.claims.iter().any(|claim| Claimed::of(claim).may_be(spec)) {
            let others = used.claims.iter().filter_map(|claim| Claimed::of(claim).whole());
            let undeclared =
                others.filter(|name| !cx.definition.resources.iter().any(|spec| spec.name == *name));
            let near = did_you_mean(&spec.name, undeclared);
            unused("resource", &spec.name, spec.place.clone(), near);
        }
    }
    for breaker in &cx.definition.breakers {
        if !used.breakers.contains(breaker.name.as_str()) {
            unused("breaker", &breaker.name, cx.top("breakers").member(&breaker.name), None);
        }
    }
    for (at, secret) in cx.definition.secrets.iter().enumerate() {
        if !used.secrets.contains(secret.as_str()) {
            unused("secret", secret, cx.top("secrets").element(at), None);
        }
    }
}

/// What the tasks of a file use, and those of its sub-flows.
#[derive(Default)]
struct Used<'d> {
    /// Each resource once.
    claims: Vec<&'d Claim>,
    breakers: HashSet<&'d str>,
    secrets: HashSet<&'d str>,
}

impl<'d> Used<'d> {
    fn by(cx: &Cx<'d>) -> Used<'d> {
        let mut used = Used::default();
        let mut seen = HashSet::new();
        used.add(cx.outline.tasks.iter().map(|task| task.node), &mut seen);
        let mut flows = std::collections::BTreeMap::new();
        super::collect_flows(cx.definition, &mut flows);
        for flow in flows.into_values() {
            let flow: &'d Definition = flow;
            used.add(Outline::of(flow).tasks.iter().map(|task| task.node), &mut seen);
        }
        used
    }

    fn add(&mut self, nodes: impl Iterator<Item = &'d Node>, seen: &mut HashSet<&'d str>) {
        for node in nodes {
            self.claims.extend(node.claims.iter().filter(|claim| seen.insert(&claim.resource.0)));
            self.breakers.extend(node.breaker.as_deref());
            self.secrets.extend(node.secrets.iter().map(String::as_str));
        }
    }
}

/// Whether a claim is alone on a thing.
pub(super) fn is_exclusive(claim: &Claim) -> bool {
    match claim.mode {
        ClaimMode::Exclusive => true,
        ClaimMode::Shared => false,
    }
}
