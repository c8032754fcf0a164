//! The flat graph with the body of each `for-each` twice: two branches of it.

use partitur_expr::{Step, Template};
use partitur_model::definition::{Each, Items, Kind};

use crate::check::outline::Outline;

/// So many nodes the graph may have: bodies within bodies within bodies are doubled no further.
const NODES_MAX: usize = 1 << 20;

/// Tasks in branches.
pub(super) struct Branches {
    /// The tasks; the ends of containers come after them.
    pub instances: Vec<Instance>,
    pub nodes: u32,
    pub edges: Vec<(u32, u32)>,
    scopes: Vec<ScopeInstance>,
}

/// A task in a branch.
pub(super) struct Instance {
    pub task: u32,
    /// Which of `scopes`.
    scope: u32,
}

struct ScopeInstance {
    /// The scope of the outline.
    scope: u32,
    /// The instance of the container.
    container: Option<u32>,
    /// The instance of its first task.
    first: u32,
}

impl Branches {
    pub fn of(outline: &Outline<'_>) -> Branches {
        let mut it = Branches { instances: Vec::new(), nodes: 0, edges: Vec::new(), scopes: Vec::new() };
        it.open(outline, 0, None);
        let mut at = 0;
        while at < it.instances.len() {
            let Instance { task, .. } = it.instances[at];
            if let Some(body) = outline.task(task).body {
                let fits = it.instances.len() + outline.tasks_of(body).len() < NODES_MAX;
                let copies = if fits { copies(&outline.task(task).node.kind) } else { 1 };
                (0..copies).for_each(|_| it.open(outline, body, Some(at as u32)));
            }
            at += 1;
        }
        it.connect(outline);
        it
    }

    fn open(&mut self, outline: &Outline<'_>, scope: u32, container: Option<u32>) {
        let (number, first) = (self.scopes.len() as u32, self.instances.len() as u32);
        self.scopes.push(ScopeInstance { scope, container, first });
        self.instances.extend(outline.tasks_of(scope).map(|task| Instance { task, scope: number }));
    }

    fn connect(&mut self, outline: &Outline<'_>) {
        self.nodes = self.instances.len() as u32;
        let mut ends: Vec<u32> = (0..self.nodes).collect();
        for (instance, end) in self.instances.iter().zip(&mut ends) {
            if outline.task(instance.task).body.is_some() {
                *end = self.nodes;
                self.nodes += 1;
            }
        }
        for ScopeInstance { scope, container, first } in &self.scopes {
            let count = outline.tasks_of(*scope).len();
            let end = |node: u32| ends[(first + node) as usize];
            let (mut is_first, mut is_last) = (vec![true; count], vec![true; count]);
            for edge in outline.edges(*scope) {
                self.edges.push((end(edge.from), first + edge.to));
                is_first[edge.to as usize] = false;
                is_last[edge.from as usize] = false;
            }
            let Some(container) = *container else { continue };
            for at in 0..count {
                self.edges.extend(is_first[at].then_some((container, first + at as u32)));
                self.edges.extend(is_last[at].then_some((end(at as u32), ends[container as usize])));
            }
            self.edges.push((container, ends[container as usize]));
        }
    }

    /// The container in two branches of which these are; `None` if no branches are between them.
    pub fn parted_by(&self, a: u32, b: u32) -> Option<u32> {
        let [a, b] = [a, b].map(|instance| self.way_in(instance));
        let inner = a.iter().zip(&b).find(|(a, b)| a != b);
        let (&a, &b) = inner?;
        let [a, b] = [a, b].map(|scope| &self.scopes[scope as usize]);
        let is_same = a.container == b.container && a.scope == b.scope;
        a.container.filter(|_| is_same).map(|instance| self.instances[instance as usize].task)
    }

    /// The scopes around an instance, from the outside in.
    fn way_in(&self, instance: u32) -> Vec<u32> {
        let scope = self.instances[instance as usize].scope;
        let around = std::iter::successors(Some(scope), |&scope| {
            Some(self.instances[self.scopes[scope as usize].container? as usize].scope)
        });
        let mut way: Vec<u32> = around.collect();
        way.reverse();
        way
    }
}

/// How many branches there are to look at.
fn copies(kind: &Kind) -> u32 {
    match kind {
        Kind::Each(each) if each.max_parallel != Some(1) && has_several(each) => 2,
        _ => 1,
    }
}

fn has_several(each: &Each) -> bool {
    let count = |tree: &partitur_model::definition::TemplateTree| tree.0.elements().map(|list| list.len());
    match &each.items {
        Items::List(tree) => {
            let batch = each.batch.unwrap_or(1).max(1) as usize;
            count(tree).is_none_or(|count| count.div_ceil(batch) > 1)
        }
        Items::Matrix(axes) => axes.iter().any(|(_, tree)| count(tree).is_none_or(|count| count > 1)),
    }
}

/// Whether two paths are surely different in two branches of the container: they begin alike, and
/// what is alike tells the branches apart. A text that names the element may still be equal to one that does not.
pub(super) fn are_apart(outline: &Outline<'_>, container: u32, a: (u32, &str), b: (u32, &str)) -> bool {
    let components = a.1.trim_start_matches("./").split('/').zip(b.1.trim_start_matches("./").split('/'));
    let alike = components.take_while(|(a, b)| a == b && *a != "**").map(|(component, _)| component);
    let alike = alike.collect::<Vec<_>>().join("/");
    [a.0, b.0].iter().all(|&task| tells_branches(outline, &alike, task, container))
}

/// Whether the text is another one in every branch of the container.
fn tells_branches(outline: &Outline<'_>, text: &str, task: u32, container: u32) -> bool {
    let Kind::Each(each) = &outline.task(container).node.kind else { return false };
    let Ok(template) = Template::parse(text) else { return false };
    let paths = template.paths();
    let is_around = |&container: &u32| !super::inlined::is_sub_run(outline.task(container).node);
    let nearest = outline.containers(outline.task(task).scope).find(is_around) == Some(container);
    let axes: &[_] = match &each.items {
        Items::List(_) => &[],
        Items::Matrix(axes) => axes,
    };
    let named = |axis: &str| {
        paths.iter().any(|path| {
            let key = matches!(path.steps.first(), Some(Step::Key(key)) if **key == *axis);
            &*path.head == "matrix" && key
        })
    };
    // Two combinations may have one axis in common, but not all of them.
    let whole_matrix = !axes.is_empty() && axes.iter().all(|(axis, _)| named(axis));
    whole_matrix || (nearest && paths.iter().any(|path| &*path.head == "each"))
}
