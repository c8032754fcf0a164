//! A race in words, and what would end it: an edge in the order of the document, or a lock.

use partitur_graph::Resource;
use partitur_model::Fault;
use partitur_model::definition::Node;

use super::{Meeting, Party, Touch, is_write, place_of, text_of};
use crate::check::codes;
use crate::check::outline::Outline;
use crate::check::resources::is_exclusive;

impl Meeting {
    pub fn fault(&self, outline: &Outline<'_>) -> Fault {
        let [first, second] = [self.first, self.second].map(|party| Side::of(outline, party));
        let place = place_of(second.node, second.party.touch);
        Fault::warning(codes::RACE, place, self.message(outline, &first, &second))
            .label("at the same time")
            .hint(self.hint(outline, &first, &second))
    }

    fn message(&self, outline: &Outline<'_>, first: &Side<'_>, second: &Side<'_>) -> String {
        let (name, path) = (&first.node.name, first.text());
        let what = if path == second.text() { "it".to_owned() } else { format!("`{}`", second.text()) };
        let verb = second.may();
        match self.apart.map(|container| &outline.task(container).node.name) {
            Some(container) if self.first.task == self.second.task => {
                format!("the branches of `{container}` {} `{path}` at the same time", first.may())
            }
            Some(container) => format!(
                "`{name}` {} `{path}` while `{}` in another branch of `{container}` {verb} {what}",
                first.does(),
                second.node.name
            ),
            None => format!("`{name}` {} `{path}` while `{}` {verb} {what}", first.does(), second.node.name),
        }
    }

    fn hint(&self, outline: &Outline<'_>, first: &Side<'_>, second: &Side<'_>) -> String {
        let order = match self.apart {
            Some(container) => format!("set `max-parallel: 1` on `{}`", outline.task(container).node.name),
            None => {
                let (before, after) = self.siblings(outline);
                let name = |task: u32| &outline.task(task).node.name;
                format!("add `{}` to the `needs` of `{}`", name(before), name(after))
            }
        };
        format!("{order}, or {}", lock(first, second))
    }

    /// The tasks of one scope that an edge could join: the two, or what is around them.
    fn siblings(&self, outline: &Outline<'_>) -> (u32, u32) {
        let chain = |task: u32| {
            let containers = outline.containers(outline.task(task).scope);
            std::iter::once(task).chain(containers).collect::<Vec<_>>()
        };
        let (a, b) = (chain(self.first.task), chain(self.second.task));
        let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (*a, *b)));
        let mut pairs = pairs.filter(|(a, b)| outline.task(*a).scope == outline.task(*b).scope && a != b);
        pairs.next().unwrap_or((self.first.task, self.second.task))
    }
}

/// One of the two.
struct Side<'d> {
    node: &'d Node,
    party: Party,
}

impl<'d> Side<'d> {
    fn of(outline: &Outline<'d>, party: Party) -> Side<'d> {
        Side { node: outline.task(party.task).node, party }
    }

    fn text(&self) -> &'d str {
        text_of(self.node, self.party.touch)
    }

    fn resource(&self) -> Resource {
        Resource::path(self.text())
    }

    fn does(&self) -> &'static str {
        match self.party.touch {
            Touch::Read(_) => "reads",
            Touch::Write(_) => "writes",
            Touch::Lock(_) => "holds",
        }
    }

    fn may(&self) -> &'static str {
        match self.party.touch {
            Touch::Read(_) => "may read",
            Touch::Write(_) => "may write",
            Touch::Lock(_) => "may hold",
        }
    }

    /// Whether the task holds the resource, and if so, whether alone.
    fn holds(&self, resource: &Resource) -> Option<bool> {
        let claims = self.node.claims.iter();
        let covering = claims.filter(|claim| Resource::of_lock(&claim.resource.0).covers(resource));
        covering.map(is_exclusive).max()
    }

    fn writes(&self) -> bool {
        is_write(self.node, self.party.touch)
    }
}

/// The lock that is missing, and who has none.
fn lock(first: &Side<'_>, second: &Side<'_>) -> String {
    let (a, b) = (first.resource(), second.resource());
    // What both have in common is enough to hold.
    let resource = if a.covers(&b) { b } else { a };
    let text = first.text();
    let is_one_path = text == second.text() && !text.contains(['*', '?', '[']);
    let lock = if is_one_path { format!("file:{text}") } else { resource.lock() };
    let (one, other) = (&first.node.name, &second.node.name);
    if first.party.task == second.party.task {
        return format!("give `{one}` the lock `{lock}`");
    }
    let to = match (first.holds(&resource), second.holds(&resource)) {
        (Some(_), Some(_)) => return format!("hold `{lock}` exclusively where it is written"),
        (None, Some(_)) => format!("give `{one}` the lock `{lock}` too"),
        (Some(_), None) => format!("give `{other}` the lock `{lock}` too"),
        (None, None) => format!("give both the lock `{lock}`"),
    };
    if first.writes() && second.writes() { to } else { format!("{to}; shared is enough for reading") }
}
