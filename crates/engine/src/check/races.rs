//! Tasks that may get into each other's way: no order between them, both touch the same files, one of them writes, and
//! no locks make them take turns.
//!
//! Branches of a `for-each` run side by side, so that a body is looked at twice: what is true of two branches is true
//! of all. What a sub-flow touches counts where the task is that runs it; races within a sub-flow are told with its own
//! file.

mod branches;
mod inlined;
mod remedy;
mod settled;

use hashbrown::{HashMap, HashSet};
use partitur_graph::{Access, Claim, Csr, Race, Resource, Touches, Waves};
use partitur_model::definition::{Edge, Guard, Join, Kind, Node, Trigger};
use partitur_model::{Fault, Place};

use super::outline::Outline;
use super::structure::exclude;
use super::{Cx, Found, Part, codes};
use branches::Branches;

/// So many races are looked at.
const FOUND_MAX: usize = 2_000;

/// So many tasks are looked at to see that two exclude each other.
const NEEDED_MAX: usize = 10_000;

/// So many pairs of tasks are shown, and the rest is counted.
const SHOWN_MAX: usize = 100;

pub(super) fn check(cx: &Cx<'_>, found: &mut Found) {
    if cx.order.is_none() {
        return;
    }
    match inlined::inlined(cx) {
        Some(definition) => check_in(cx, &Outline::of(&definition), found),
        None => check_in(cx, cx.outline, found),
    }
}

fn check_in(cx: &Cx<'_>, outline: &Outline<'_>, found: &mut Found) {
    if !outline.tasks.iter().any(|task| touches_files(task.node)) {
        return;
    }
    let search = Search::new(outline);
    let races = search.races();
    let mut shown = HashSet::new();
    let mut left_out = races.more;
    for race in &races.found {
        let Some(meeting) = search.meeting(race).filter(|meeting| meeting.is_of(cx, outline)) else {
            continue;
        };
        if !shown.contains(&meeting.key()) && shown.len() == SHOWN_MAX {
            left_out += 1;
        } else if shown.insert(meeting.key()) {
            found.add(Part::Task(rank(cx, outline, meeting.second.task)), meeting.fault(outline));
        }
    }
    if left_out > 0 || !races.complete {
        let at_least = if races.complete { "" } else { "at least " };
        let message = format!("there are {at_least}{left_out} more potential races");
        let fault = Fault::warning(codes::RACE, cx.top("tasks"), message).label("not all are shown");
        found.add(Part::Tail, fault.hint("mend those that are shown, and check again"));
    }
}

/// The turn in the file of a task, or of the one that runs its sub-flow.
fn rank(cx: &Cx<'_>, outline: &Outline<'_>, task: u32) -> u32 {
    let around = std::iter::once(task).chain(outline.containers(outline.task(task).scope));
    let places = around.map(|task| &outline.task(task).node.place);
    let mut known = places.filter_map(|place| cx.outline.tasks.iter().find(|own| own.node.place == *place));
    known.next().map_or(0, |own| own.rank)
}

fn touches_files(node: &Node) -> bool {
    let path = |text: &str| text.starts_with("file:") || text.starts_with("dir:");
    !node.reads.is_empty()
        || !node.writes.is_empty()
        || node.claims.iter().any(|claim| path(&claim.resource.0))
}

/// One thing that a task touches, as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Touch {
    Read(usize),
    Write(usize),
    Lock(usize),
}

/// What a task touches, in the order in which people should read of it.
fn touches(node: &Node) -> impl Iterator<Item = (Touch, Resource)> + '_ {
    let path = |text: &str| Resource::path(text);
    let writes = node.writes.iter().enumerate().map(move |(at, it)| (Touch::Write(at), path(&it.0)));
    let reads = node.reads.iter().enumerate().map(move |(at, it)| (Touch::Read(at), path(&it.0)));
    let claims = node.claims.iter().enumerate();
    let locks = claims.map(|(at, claim)| (Touch::Lock(at), Resource::of_lock(&claim.resource.0)));
    // Locks on other things than files say nothing about files.
    writes.chain(reads).chain(locks.filter(|(_, it)| matches!(it, Resource::Path(_))))
}

fn as_touches(node: &Node) -> Touches {
    let mut all = Touches::default();
    for (touch, resource) in touches(node) {
        match touch {
            Touch::Read(_) => all.accesses.push(Access { resource, write: false }),
            Touch::Write(_) => all.accesses.push(Access { resource, write: true }),
            Touch::Lock(at) => {
                let exclusive = super::resources::is_exclusive(&node.claims[at]);
                if is_sure(node, at) {
                    all.claims.push(Claim { resource, exclusive });
                } else {
                    all.accesses.push(Access { resource, write: exclusive });
                }
            }
        }
    }
    all
}

/// Whether it is known what a lock covers: the name of a file, or the very text of what is read or written.
fn is_sure(node: &Node, claim: usize) -> bool {
    let path = text_of(node, Touch::Lock(claim));
    !path.contains("${") || node.writes.iter().chain(&node.reads).any(|access| access.0 == path)
}

struct Search<'a, 'd> {
    outline: &'a Outline<'d>,
    branches: Branches,
    /// The edges to each task, if some are not always taken, so that tasks may exclude each other.
    incoming: HashMap<u32, Vec<&'d Edge>>,
}

impl<'a, 'd> Search<'a, 'd> {
    fn new(outline: &'a Outline<'d>) -> Search<'a, 'd> {
        let mut incoming: HashMap<u32, Vec<&Edge>> = HashMap::new();
        let mut guards = outline.scopes.iter().flat_map(|scope| &scope.scope.edges).map(|edge| &edge.guard);
        if guards.any(|guard| !matches!(guard, Guard::Success | Guard::Any)) {
            for scope in 0..outline.scopes.len() as u32 {
                let first = outline.scope(scope).first;
                outline.edges(scope).for_each(|edge| incoming.entry(first + edge.to).or_default().push(edge));
            }
        }
        Search { outline, branches: Branches::of(outline), incoming }
    }

    fn races(&self) -> partitur_graph::Races {
        let csr = Csr::build(self.branches.nodes, &self.branches.edges);
        let waves = Waves::of(&csr).expect("bodies between the ends of their containers close no cycle");
        let mut all = vec![Touches::default(); self.branches.nodes as usize];
        for (instance, touches) in self.branches.instances.iter().zip(&mut all) {
            *touches = as_touches(self.outline.task(instance.task).node);
        }
        settled::leave_out(&csr, &waves, &mut all);
        partitur_graph::races(&csr, &waves, &all, FOUND_MAX)
    }

    /// The race as one of tasks; `None` if a closer look shows that there is none.
    fn meeting(&self, race: &Race) -> Option<Meeting> {
        let [a, b] = [race.first, race.second].map(|node| self.branches.instances[node as usize].task);
        let apart = self.branches.parted_by(race.first, race.second);
        let (touch_a, touch_b) = self.same_thing(race, apart)?;
        if !self.incoming.is_empty() && self.exclude_each_other(a, b, apart) {
            return None;
        }
        let (a, b) = (Party { task: a, touch: touch_a }, Party { task: b, touch: touch_b });
        let in_order = self.outline.task(a.task).rank <= self.outline.task(b.task).rank;
        let (first, second) = if in_order { (a, b) } else { (b, a) };
        Some(Meeting { first, second, apart })
    }

    /// What both touch, as they write it, if it is the same thing in two branches of `apart` as well.
    fn same_thing(&self, race: &Race, apart: Option<u32>) -> Option<(Touch, Touch)> {
        let sides = [(race.first, &race.first_touches), (race.second, &race.second_touches)];
        let [a, b] = sides.map(|(node, access)| {
            let task = self.branches.instances[node as usize].task;
            let all = touches(self.outline.task(task).node);
            let meant = all.filter(|(_, resource)| *resource == access.resource);
            (task, meant.map(|(touch, _)| touch).collect::<Vec<_>>())
        });
        let writes = |task: u32, touch: Touch| is_write(self.outline.task(task).node, touch);
        let pairs = || a.1.iter().flat_map(|x| b.1.iter().map(move |y| (*x, *y)));
        let overlap = |&(x, y): &(Touch, Touch)| {
            let [x, y] = [(a.0, x), (b.0, y)]
                .map(|(task, touch)| (task, text_of(self.outline.task(task).node, touch)));
            !apart.is_some_and(|container| branches::are_apart(self.outline, container, x, y))
        };
        pairs().filter(|&(x, y)| writes(a.0, x) || writes(b.0, y)).find(overlap)
    }

    /// Whether the two never run in the same run: the one needs what the other excludes.
    fn exclude_each_other(&self, a: u32, b: u32, apart: Option<u32>) -> bool {
        let common = |&(source, _): &(u32, &Guard)| {
            let mut around = self.outline.containers(self.outline.task(source).scope);
            apart.is_none_or(|container| !around.any(|it| it == container))
        };
        let needed = self.needed(a);
        self.needed(b).into_iter().filter(common).any(|(source, guard)| {
            let optional = self.outline.task(source).node.optional;
            needed.iter().any(|&(other, against)| other == source && exclude(guard, against, optional))
        })
    }

    /// The ends of other tasks without which this one never runs.
    fn needed(&self, task: u32) -> Vec<(u32, &'d Guard)> {
        let (mut needed, mut seen, mut open) = (Vec::new(), HashSet::new(), vec![task]);
        while let Some(task) = open.pop() {
            if !seen.insert(task) || seen.len() > NEEDED_MAX {
                continue;
            }
            let at = self.outline.task(task);
            open.extend(self.outline.scope(at.scope).container);
            let first = self.outline.scope(at.scope).first;
            let edges = self.incoming.get(&task).map_or(&[][..], Vec::as_slice);
            let all = at.node.trigger == Trigger::All && !matches!(at.node.kind, Kind::Join(Join { .. }));
            if !all && edges.len() != 1 {
                continue;
            }
            for edge in edges {
                match edge.guard {
                    Guard::Any | Guard::Continue => {}
                    Guard::Success | Guard::Failure | Guard::Case(_) | Guard::DefaultCase => {
                        needed.push((first + edge.from, &edge.guard));
                        open.push(first + edge.from);
                    }
                }
            }
        }
        needed
    }
}

fn is_write(node: &Node, touch: Touch) -> bool {
    match touch {
        Touch::Read(_) => false,
        Touch::Write(_) => true,
        Touch::Lock(at) => super::resources::is_exclusive(&node.claims[at]),
    }
}

/// The path that is touched, as it is written.
fn text_of(node: &Node, touch: Touch) -> &str {
    match touch {
        Touch::Read(at) => &node.reads[at].0,
        Touch::Write(at) => &node.writes[at].0,
        Touch::Lock(at) => {
            let text = &node.claims[at].resource.0;
            text.split_once(':').map_or(text.as_str(), |(_, path)| path)
        }
    }
}

fn place_of(node: &Node, touch: Touch) -> Place {
    match touch {
        Touch::Read(at) => node.place.member("reads").element(at),
        Touch::Write(at) => node.place.member("writes").element(at),
        Touch::Lock(at) => node.claims[at].place.clone(),
    }
}

/// A task, and what it touches.
#[derive(Clone, Copy)]
struct Party {
    task: u32,
    touch: Touch,
}

/// Two tasks in each other's way; the first is the earlier one in the document.
struct Meeting {
    first: Party,
    second: Party,
    /// They are in two branches of this container.
    apart: Option<u32>,
}

impl Meeting {
    /// Whether it happens in the file at hand, and not within one of its sub-flows.
    fn is_of(&self, cx: &Cx<'_>, outline: &Outline<'_>) -> bool {
        let mut around = outline.around(outline.task(self.first.task).scope);
        let other = |scope: &u32| outline.around(outline.task(self.second.task).scope).any(|it| it == *scope);
        let common = match self.apart {
            Some(container) => Some(outline.task(container).scope),
            None => around.find(other),
        };
        let first = common.and_then(|scope| outline.scope(scope).scope.nodes.first());
        first.is_none_or(|node| inlined::file_of(&node.place) == cx.prefix)
    }

    fn key(&self) -> (u32, u32, Option<u32>) {
        (self.first.task, self.second.task, self.apart)
    }
}
