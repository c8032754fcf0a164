//! Names, edges, cycles, and tasks that can never run.

use hashbrown::HashMap;
use partitur_graph::{Csr, cycles};
use partitur_model::definition::{Edge, Guard, Kind, Node, Trigger};
use partitur_model::{Fault, Place};

use super::outline::Outline;
use super::{Cx, Found, Part, codes};

/// So many tasks of a cycle are named before and after what is left out.
const SHOWN_MAX: usize = 12;

pub(super) fn check(cx: &Cx<'_>, found: &mut Found) {
    for scope in 0..cx.outline.scopes.len() as u32 {
        duplicate_names(cx.outline, scope, found);
        edges(cx.outline, scope, found);
        if cx.order.is_none() {
            rings(cx.outline, scope, found);
        } else {
            never_runs(cx.outline, scope, found);
        }
        services(cx.outline, scope, found);
    }
    flows(cx, found);
}

fn duplicate_names(outline: &Outline<'_>, scope: u32, found: &mut Found) {
    for task in outline.tasks_of(scope) {
        let task_outline = outline.task(task);
        let name = &task_outline.node.name;
        if outline.named(scope, name) != Some(task) {
            let message = format!("there are two tasks named `{name}`");
            let fault = Fault::error(codes::DUPLICATE, task_outline.node.place.clone(), message);
            found.add(
                Part::Task(task_outline.rank),
                fault.label("taken already").hint("give one of them another name"),
            );
        }
    }
}

fn edges(outline: &Outline<'_>, scope: u32, found: &mut Found) {
    let inside = outline.scope(scope);
    let count = inside.scope.nodes.len() as u32;
    for edge in &inside.scope.edges {
        let rank = outline.tasks.get((inside.first + edge.to) as usize).map_or(0, |task| task.rank);
        if edge.from >= count || edge.to >= count {
            let message = format!("an edge leads from task {} to task {} of {count}", edge.from, edge.to);
            found.add(
                Part::Task(rank),
                Fault::error(codes::STRAY_EDGE, edge.place.clone(), message).label("leads nowhere"),
            );
        } else if edge.from == edge.to {
            let name = &inside.scope.nodes[edge.to as usize].name;
            let message = format!("task `{name}` waits for itself");
            let fault = Fault::error(codes::SELF_DEPENDENCY, edge.place.clone(), message);
            found.add(
                Part::Task(rank),
                fault.label("the task itself").hint("remove it; to repeat a task, use `loop`"),
            );
        }
    }
}

/// A service that nobody needs never begins.
fn services(outline: &Outline<'_>, scope: u32, found: &mut Found) {
    let is_service = |node: &Node| matches!(&node.kind, Kind::Command(command) if command.service.is_some());
    let nodes = &outline.scope(scope).scope.nodes;
    if nodes.is_empty() || !nodes.iter().all(is_service) {
        return;
    }
    for task in outline.tasks_of(scope).map(|task| outline.task(task)) {
        let message =
            format!("the service `{}` never begins: there is no task that needs it", task.node.name);
        let fault = Fault::warning(codes::NO_EFFECT, task.node.place.member("service"), message);
        let hint = "add a task that needs it, or take `service` away";
        found.add(Part::Task(task.rank), fault.label("nobody needs it").hint(hint));
    }
}

/// Each ring once, as short as it comes.
fn rings(outline: &Outline<'_>, scope: u32, found: &mut Found) {
    let nodes = &outline.scope(scope).scope.nodes;
    let edges: Vec<(u32, u32)> = outline.edges(scope).map(|edge| (edge.from, edge.to)).collect();
    for ring in cycles(&Csr::build(nodes.len() as u32, &edges)).cycles {
        let (first, last) = (ring[0], ring[ring.len() - 1]);
        let closing = outline.edges(scope).find(|edge| (edge.from, edge.to) == (last, first));
        let names: Vec<&str> =
            ring.iter().chain([&first]).map(|&node| nodes[node as usize].name.as_str()).collect();
        let message = format!("these tasks wait for each other: {}", path(&names));
        let place = closing.map_or_else(Place::root, |edge| edge.place.clone());
        let rank = outline.task(outline.scope(scope).first + first).rank;
        let hint = format!(
            "take one of these needs away, for example that of `{}` for `{}`",
            nodes[first as usize].name, nodes[last as usize].name
        );
        found.add(
            Part::Task(rank),
            Fault::error(codes::CYCLE, place, message).label("closes the cycle").hint(hint),
        );
    }
}

/// `a -> b -> c`, each before what waits for it.
fn path(names: &[&str]) -> String {
    if names.len() <= 2 * SHOWN_MAX {
        return names.join(" -> ");
    }
    let (begin, end) = (&names[..SHOWN_MAX], &names[names.len() - SHOWN_MAX..]);
    let left_out = names.len() - 2 * SHOWN_MAX;
    format!("{} -> ({left_out} more) -> {}", begin.join(" -> "), end.join(" -> "))
}

/// Tasks whose edges can never be taken together. What waits for such a task is only counted.
fn never_runs(outline: &Outline<'_>, scope: u32, found: &mut Found) {
    let inside = outline.scope(scope);
    let Hopeless { causes, followers } = hopeless(outline, scope);
    for (node, cause) in causes {
        let Cause { edge, message, label, code } = cause;
        let mut fault = Fault::error(code, edge.place.clone(), message).label(label);
        let waiting = followers.get(&node).copied().unwrap_or(0);
        let hint = match (&edge.guard, &inside.scope.nodes[edge.from as usize].kind) {
            (Guard::Case(_) | Guard::DefaultCase, Kind::Switch(switch)) => {
                format!("its cases are {}", switch.cases.join(", "))
            }
            (Guard::Case(_) | Guard::DefaultCase, _) => "only a `switch` has cases".to_owned(),
            (Guard::Success | Guard::Failure | Guard::Any | Guard::Continue, _) => {
                "with `trigger: any` one of them is enough".to_owned()
            }
        };
        fault = fault.hint(match waiting {
            0 => hint,
            1 => format!("{hint}; one more task waits for it in vain"),
            more => format!("{hint}; {more} more tasks wait for it in vain"),
        });
        found.add(Part::Task(outline.task(inside.first + node).rank), fault);
    }
}

/// Why a task never runs.
struct Cause<'d> {
    edge: &'d Edge,
    message: String,
    label: &'static str,
    code: &'static str,
}

#[derive(Default)]
struct Hopeless<'d> {
    causes: Vec<(u32, Cause<'d>)>,
    /// For each of them, how many tasks come to nothing because of it.
    followers: HashMap<u32, usize>,
}

fn hopeless<'d>(outline: &Outline<'d>, scope: u32) -> Hopeless<'d> {
    let nodes = &outline.scope(scope).scope.nodes;
    let mut incoming: Vec<&'d Edge> = outline.edges(scope).collect();
    let mut result = Hopeless::default();
    // Success alone is always possible, so that most graphs need no closer look.
    if incoming.iter().all(|edge| matches!(edge.guard, Guard::Success | Guard::Any | Guard::Continue)) {
        return result;
    }
    incoming.sort_by_key(|edge| edge.to);
    let groups: HashMap<u32, &[&Edge]> =
        incoming.chunk_by(|a, b| a.to == b.to).map(|group| (group[0].to, group)).collect();
    let edges: Vec<(u32, u32)> = incoming.iter().map(|edge| (edge.from, edge.to)).collect();
    let order = partitur_graph::topological_order(&Csr::build(nodes.len() as u32, &edges));
    // The cause that each hopeless task goes back to.
    let mut root: HashMap<u32, u32> = HashMap::new();
    for node in order.unwrap_or_default() {
        let Some(edges) = groups.get(&node) else { continue };
        if let Some(cause) = own_cause(nodes, node, edges) {
            root.insert(node, node);
            result.causes.push((node, cause));
        } else if let Some(cause) = inherited(nodes, node, edges, &root) {
            root.insert(node, cause);
            *result.followers.entry(cause).or_default() += 1;
        }
    }
    result
}

/// What keeps a task from running whatever its predecessors do.
fn own_cause<'d>(nodes: &'d [Node], node: u32, edges: &[&'d Edge]) -> Option<Cause<'d>> {
    let task = &nodes[node as usize];
    let impossible =
        edges.iter().copied().filter(|edge| !is_possible(&nodes[edge.from as usize], &edge.guard));
    let needs_all = task.trigger == Trigger::All && !matches!(task.kind, Kind::Join(_));
    let mut impossible = impossible.peekable();
    if let Some(&edge) = impossible.peek()
        && (needs_all || impossible.count() == edges.len())
    {
        let source = &nodes[edge.from as usize].name;
        let message = match &edge.guard {
            Guard::Case(case) => {
                format!(
                    "task `{}` waits for the case `{case}` of `{source}`, which has no such case",
                    task.name
                )
            }
            Guard::Success | Guard::Failure | Guard::Any | Guard::Continue | Guard::DefaultCase => {
                format!("task `{}` waits for a case of `{source}`, which is no switch", task.name)
            }
        };
        return Some(Cause { edge, message, label: "no such case", code: codes::UNKNOWN_CASE });
    }
    let (first, second) = if needs_all { contradiction(nodes, edges)? } else { return None };
    let source = &nodes[first.from as usize].name;
    let message = format!(
        "task `{}` waits for {} and for {} of `{source}`, which never come together",
        task.name,
        wording(&first.guard),
        wording(&second.guard)
    );
    Some(Cause { edge: second, message, label: "never with the other", code: codes::NEVER_RUNS })
}

fn is_possible(source: &Node, guard: &Guard) -> bool {
    match (guard, &source.kind) {
        (Guard::Case(case), Kind::Switch(switch)) => switch.cases.contains(case),
        (Guard::DefaultCase, kind) => matches!(kind, Kind::Switch(_)),
        (Guard::Case(_), _) => false,
        (Guard::Success | Guard::Failure | Guard::Any | Guard::Continue, _) => true,
    }
}

/// Two edges from one task that are never both taken.
fn contradiction<'d>(nodes: &[Node], edges: &[&'d Edge]) -> Option<(&'d Edge, &'d Edge)> {
    let mut sorted = edges.to_vec();
    sorted.sort_by_key(|edge| edge.from);
    sorted.chunk_by(|a, b| a.from == b.from).find_map(|group| {
        let optional = nodes[group[0].from as usize].optional;
        group.iter().enumerate().find_map(|(at, first)| {
            let second =
                group[at + 1..].iter().find(|second| exclude(&first.guard, &second.guard, optional))?;
            Some((*first, *second))
        })
    })
}

/// Whether two edges from one task are never both taken. A failed optional task lets both kinds of successors go on.
pub(super) fn exclude(a: &Guard, b: &Guard, optional: bool) -> bool {
    let ended = |guard: &Guard| match guard {
        Guard::Success | Guard::Continue => Some(true),
        Guard::Case(_) | Guard::DefaultCase => Some(true),
        Guard::Failure => Some(false),
        Guard::Any => None,
    };
    let is_case = |guard: &Guard| matches!(guard, Guard::Case(_) | Guard::DefaultCase);
    if is_case(a) && is_case(b) {
        return a != b;
    }
    matches!((ended(a), ended(b)), (Some(a), Some(b)) if a != b) && !optional
}

fn wording(guard: &Guard) -> String {
    match guard {
        Guard::Success => "the success".to_owned(),
        Guard::Failure => "the failure".to_owned(),
        Guard::Any => "the end".to_owned(),
        Guard::Continue => "the success or skipping".to_owned(),
        Guard::Case(case) => format!("the case `{case}`"),
        Guard::DefaultCase => "the default".to_owned(),
    }
}

/// The cause of a predecessor that never runs, if that keeps this one from running too.
fn inherited(nodes: &[Node], node: u32, edges: &[&Edge], root: &HashMap<u32, u32>) -> Option<u32> {
    let task = &nodes[node as usize];
    // Who never runs is skipped, and skipping satisfies two guards.
    let dead =
        |edge: &&&Edge| root.contains_key(&edge.from) && !matches!(edge.guard, Guard::Any | Guard::Continue);
    let first = edges.iter().find(dead)?;
    let all = task.trigger == Trigger::All && !matches!(task.kind, Kind::Join(_));
    (all || edges.iter().filter(dead).count() == edges.len()).then(|| root[&first.from])
}

/// Sub-flows that are missing, or that lead back to where they began.
fn flows(cx: &Cx<'_>, found: &mut Found) {
    for task in &cx.outline.tasks {
        let Kind::SubRun(sub) = &task.node.kind else { continue };
        let Some(called) = sub.flow.frozen() else { continue };
        let place = || task.node.place.member("flow");
        if cx.flow(called).is_none() {
            let message = format!("there is no flow `{called}`");
            found.add(
                Part::Task(task.rank),
                Fault::error(codes::UNKNOWN_FLOW, place(), message).label("unknown flow"),
            );
        } else if let Some(way) = way_back(cx, called) {
            let message = format!("the flow `{called}` contains itself: {}", way.join(" -> "));
            let fault = Fault::error(codes::FLOW_CYCLE, place(), message).label("leads back");
            found.add(Part::Task(task.rank), fault.hint("to repeat tasks, use `loop`"));
        }
    }
}

/// From a flow back to itself.
fn way_back<'d>(cx: &Cx<'d>, flow: &'d str) -> Option<Vec<&'d str>> {
    let mut from: HashMap<&str, &str> = HashMap::new();
    let mut open = vec![flow];
    while let Some(name) = open.pop() {
        let Some(definition) = cx.flow(name) else { continue };
        for next in sub_flows(&definition.root) {
            if next == flow {
                let mut way = vec![flow];
                let mut at = name;
                while at != flow {
                    way.push(at);
                    at = from[at];
                }
                way.push(flow);
                way.reverse();
                return Some(way);
            }
            if !from.contains_key(next) {
                from.insert(next, name);
                open.push(next);
            }
        }
    }
    None
}

fn sub_flows(root: &partitur_model::definition::Scope) -> Vec<&str> {
    let (mut names, mut open) = (Vec::new(), vec![root]);
    while let Some(scope) = open.pop() {
        for node in &scope.nodes {
            if let Kind::SubRun(sub) = &node.kind {
                names.extend(sub.flow.frozen());
            }
            open.extend(node.kind.body());
        }
    }
    names
}
