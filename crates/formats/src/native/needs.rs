//! `needs`: names become edges.

use partitur_model::Fault;
use partitur_model::definition::{Edge, Guard};

use crate::codes;
use crate::keys::{Block, Key, Shape, texts};
use crate::reader::{At, Reader, with_meant};
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

/// Reads the `needs` of task `to` into `edges`. What is there of the same task is at the end of `edges`.
pub(super) fn read_needs(reader: &mut Reader<'_>, at: At<'_>, name: &str, to: u32, edges: &mut Vec<Edge>) {
    let first = edges.len();
    match reader.form(at) {
        Form::List => {
            for (index, item) in reader.tree.parts(at.item).enumerate() {
                read_need(reader, at.element(index, item), name, to, first, edges);
            }
        }
        Form::Plain | Form::Quoted | Form::Literal | Form::Folded | Form::Map | Form::Alias(_) => {
            read_need(reader, at, name, to, first, edges);
        }
    }
}

fn read_need(reader: &mut Reader<'_>, at: At<'_>, name: &str, to: u32, first: usize, edges: &mut Vec<Edge>) {
    let mut need = NeedDraft::default();
    let task: &str = if reader.form(at) == Form::Map {
        reader.block(at, &NEED, NEED_KEYS, &mut need);
        &need.task
    } else {
        match reader.text(at) {
            Some(text) => text,
            None => return,
        }
    };
    if task.is_empty() {
        return;
    }
    let guard = need.case.clone().unwrap_or(need.outcome.clone());
    match reader.names.here(task) {
        Some(from) if from == to => {
            let fault =
                Fault::error(codes::SELF_DEPENDENCY, at.place(), format!("task `{name}` needs itself"));
            reader.fault(fault.label("the task itself").hint("remove it; to repeat a task, use `loop`"));
        }
        Some(from) if edges[first..].iter().any(|edge| edge.from == from && edge.guard == guard) => {
            let fault = Fault::error(
                codes::DUPLICATE_NEED,
                at.place(),
                format!("task `{name}` needs `{task}` twice"),
            );
            reader.fault(fault.label("named before").hint("remove one of the two"));
        }
        Some(from) => edges.push(Edge { from, to, guard, place: at.place() }),
        None => {
            let fault = unknown_task(reader, name, task, at);
            reader.fault(fault);
        }
    }
}

fn unknown_task(reader: &Reader<'_>, name: &str, task: &str, at: At<'_>) -> Fault {
    let shown = crate::reader::shorten(task);
    if reader.names.anywhere(task) {
        let message = format!("task `{name}` needs `{shown}`, which is outside of its body");
        let hint =
            "let the task around the body need it; within the body its output can be used all the same";
        return Fault::error(codes::OTHER_SCOPE, at.place(), message).label("another scope").hint(hint);
    }
    let message = format!("task `{name}` needs `{shown}`, which does not exist");
    let fault = Fault::error(codes::UNKNOWN_TASK, at.place(), message).label("unknown task");
    let mut known: Vec<&str> = reader.names.all_here().collect();
    known.sort_unstable();
    with_meant(fault, task, known)
}
