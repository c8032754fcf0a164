//! Pictures of a graph: for the eye (`svg`, `html`), for other tools (`dot`, `mermaid`), for a terminal (`text`),
//! for programs that draw themselves (`data`).
//!
//! All of them draw one [`Picture`], and those with coordinates share one arrangement (`arrange`). What stands in a
//! picture comes from documents that others wrote: every writer escapes all of it, so that no name becomes code.
//!
//! Not here: what a task is, where its state comes from, files. Begin with [`Picture`].

mod arrange;
mod data;
mod dot;
mod fold;
mod html;
mod json;
mod mermaid;
mod shorten;
mod state;
mod svg;
mod text;

pub use data::data;
pub use dot::dot;
pub use fold::fold_by_prefix;
pub use html::html;
pub use mermaid::mermaid;
pub use state::State;
pub use svg::{escaped, svg};
pub use text::text;

/// What is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    /// Above it.
    pub title: String,
    /// Beside the title, in few words.
    pub subtitle: String,
    /// What stands in it. Whatever contains others stands before them.
    pub items: Vec<Item>,
    /// What leads where; both ends are in the same container.
    pub links: Vec<Link>,
    /// Parts that a reader may want to see as one.
    pub groups: Vec<Group>,
}

/// A task, or whatever stands for one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// What it is, and how long it takes.
    pub detail: String,
    /// The form in which it is drawn.
    pub form: Form,
    /// The earlier item of whose body it is a part.
    pub inside: Option<u32>,
    /// What has become of it, if a run is shown.
    pub state: Option<State>,
    /// It lies on the critical path.
    pub critical: bool,
    /// The group that it is a part of.
    pub group: Option<u32>,
}

/// The form in which an item is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Somebody does something.
    #[default]
    Task,
    /// One of its ways is taken.
    Choice,
    /// Ways part or meet.
    Meeting,
    /// It contains others, which stand in it.
    Container,
}

/// A dependency.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Link {
    /// What comes first.
    pub from: u32,
    /// What waits for it.
    pub to: u32,
    /// The condition on which it is taken, if it is not always.
    pub label: String,
    /// It lies on the critical path.
    pub critical: bool,
}

/// A part that folds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// What its members have in common.
    pub name: String,
    /// What kind of thing that is: `prefix`, `fork`, `tag`.
    pub kind: &'static str,
}

impl Picture {
    /// All items, each followed by what is inside.
    fn outline(&self) -> Vec<Step> {
        let mut contents: Vec<Vec<u32>> = vec![Vec::new(); self.items.len()];
        let mut open = Vec::new();
        for (number, item) in (0u32..).zip(&self.items) {
            match item.inside {
                Some(container) => contents[container as usize].push(number),
                None => open.push(Step::Leaf(number, 0)),
            }
        }
        open.reverse();
        let mut steps = Vec::with_capacity(self.items.len());
        while let Some(step) = open.pop() {
            match step {
                Step::Leaf(number, depth) if !contents[number as usize].is_empty() => {
                    steps.push(Step::Open(number, depth));
                    open.push(Step::Close(depth));
                    open.extend(
                        contents[number as usize].iter().rev().map(|&inner| Step::Leaf(inner, depth + 1)),
                    );
                }
                step => steps.push(step),
            }
        }
        steps
    }

    /// Where each item stands among those of its container, container by container: `None` first, then by number.
    fn scopes(&self) -> Vec<Scope> {
        let mut scopes = vec![Scope::default()];
        let mut scope_of = vec![0; self.items.len()];
        let mut place = vec![0; self.items.len()];
        let mut has_content = vec![false; self.items.len()];
        for container in self.items.iter().filter_map(|item| item.inside) {
            has_content[container as usize] = true;
        }
        for (number, item) in (0u32..).zip(&self.items) {
            let scope = item.inside.map_or(0, |container| {
                assert!(container < number, "what contains others stands before them");
                scope_of[container as usize]
            });
            place[number as usize] = scopes[scope].items.len() as u32;
            scopes[scope].items.push(number);
            if has_content[number as usize] {
                scope_of[number as usize] = scopes.len();
                scopes.push(Scope { container: Some(number), ..Scope::default() });
            }
        }
        for (number, link) in self.links.iter().enumerate() {
            let container = self.items[link.from as usize].inside;
            let scope = container.map_or(0, |container| scope_of[container as usize]);
            scopes[scope].links.push(number);
            scopes[scope].edges.push((place[link.from as usize], place[link.to as usize]));
        }
        scopes
    }
}

/// A step of a walk over the items, from outside to inside; each with its depth.
enum Step {
    /// An item with nothing inside.
    Leaf(u32, usize),
    /// An item, before what is inside.
    Open(u32, usize),
    /// After what is inside.
    Close(usize),
}

/// The content of a container, or what is in none.
#[derive(Default)]
struct Scope {
    container: Option<u32>,
    items: Vec<u32>,
    links: Vec<usize>,
    /// The links, by places in `items`.
    edges: Vec<(u32, u32)>,
}
