//! `needs`: names become edges.

use hashbrown::HashSet;
use partitur_model::Fault;
use partitur_model::definition::{Edge, Guard};

use crate::codes;
use crate::keys::{Block, Key, Shape, texts};
use crate::reader::{At, Reader, shorten, with_meant};
use crate::tree::Form;

pub(super) static NEED: Block = Block {
    name: "need",
    about: "an entry of `needs`",
    required: &["task"],
    ignored_prefix: None,
    keys: || texts(NEED_KEYS),
};

#[derive(Default)]
struct NeedDraft {
    task: String,
    outcome: Guard,
    case: Option<Guard>,
}

static NEED_KEYS: &[Key<NeedDraft>] = &[
    Key {
        name: "task",
        about: "the task that must have ended",
        shape: Shape::Text,
        read: |reader, need, at| need.task = reader.string(at).unwrap_or_default(),
    },
    Key {
        name: "outcome",
        about: "how it must have ended; success",
        shape: Shape::Word(&["success", "failure", "any"]),
        read: |reader, need, at| {
            let words = [("success", Guard::Success), ("failure", Guard::Failure), ("any", Guard::Any)];
            let names: [(&'static str, usize); 3] = [("success", 0), ("failure", 1), ("any", 2)];
            let index = reader.word(at, &names).unwrap_or(0);
            need.outcome = words[index].1.clone();
        },
    },
    Key {
        name: "case",
        about: "the case that a `switch` must have chosen",
        shape: Shape::Text,
        read: |reader, need, at| need.case = reader.string(at).map(Guard::Case),
    },
    Key {
        name: "otherwise",
        about: "`true`: the `switch` must have found no case",
        shape: Shape::Flag,
        read: |reader, need, at| {
            if reader.flag(at) == Some(true) {
                need.case = Some(Guard::DefaultCase);
            }
        },
    },
];

/// Reads the `needs` of task `to`, called `name`, into `edges`.
pub(super) fn read_needs(reader: &mut Reader<'_>, at: At<'_>, name: &str, to: u32, edges: &mut Vec<Edge>) {
    let first = edges.len();
    let mut needs = Needs { name, to, edges, first, seen: HashSet::new() };
    if reader.form(at) == Form::List {
        for (index, item) in reader.tree.parts(at.item).enumerate() {
            needs.read(reader, at.element(index, item));
        }
    } else {
        needs.read(reader, at);
    }
}

/// The needs of one task.
struct Needs<'e> {
    name: &'e str,
    to: u32,
    edges: &'e mut Vec<Edge>,
    /// Where in `edges` they begin.
    first: usize,
    /// What is in `edges`, once it is too much to look through.
    seen: HashSet<(u32, Guard)>,
}

impl Needs<'_> {
    fn read(&mut self, reader: &mut Reader<'_>, at: At<'_>) {
        if reader.form(at) != Form::Map {
            if let Some(task) = reader.text(at) {
                self.add(reader, at, task, Guard::Success);
            }
            return;
        }
        let mut need = NeedDraft::default();
        reader.block(at, &NEED, NEED_KEYS, &mut need);
        if !need.task.is_empty() {
            self.add(reader, at, &need.task, need.case.unwrap_or(need.outcome));
        }
    }

    fn add(&mut self, reader: &mut Reader<'_>, at: At<'_>, task: &str, guard: Guard) {
        let name = self.name;
        let fault = match reader.names.here(task) {
            Some(from) if from == self.to => {
                Fault::error(codes::SELF_DEPENDENCY, at.place(), format!("task `{name}` needs itself"))
                    .label("the task itself")
                    .hint("remove it; to repeat a task, use `loop`")
            }
            Some(from) if !self.is_new(from, &guard) => {
                Fault::error(codes::DUPLICATE_NEED, at.place(), format!("task `{name}` needs `{task}` twice"))
                    .label("named before")
                    .hint("remove one of the two")
            }
            Some(from) => return self.edges.push(Edge { from, to: self.to, guard, place: at.place() }),
            None if reader.is_full() => return,
            None => unknown_task(reader, name, task, at),
        };
        reader.fault(fault);
    }

    fn is_new(&mut self, from: u32, guard: &Guard) -> bool {
        const FEW: usize = 16;
        let mine = &self.edges[self.first..];
        if mine.len() < FEW {
            return !mine.iter().any(|edge| edge.from == from && edge.guard == *guard);
        }
        if self.seen.is_empty() {
            self.seen.extend(mine.iter().map(|edge| (edge.from, edge.guard.clone())));
        }
        self.seen.insert((from, guard.clone()))
    }
}

fn unknown_task(reader: &Reader<'_>, name: &str, task: &str, at: At<'_>) -> Fault {
    let shown = shorten(task);
    if reader.names.anywhere(task) {
        let message = format!("task `{name}` needs `{shown}`, which is outside of its body");
        let hint =
            "let the task around the body need it; within the body its output can be used all the same";
        return Fault::error(codes::OTHER_SCOPE, at.place(), message).label("another scope").hint(hint);
    }
    let message = format!("task `{name}` needs `{shown}`, which does not exist");
    let fault = Fault::error(codes::UNKNOWN_TASK, at.place(), message).label("unknown task");
    with_meant(fault, task, reader.names.all_here())
}
