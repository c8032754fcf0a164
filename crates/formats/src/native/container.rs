//! Tasks made of tasks: `for-each`, `matrix`, `loop`.

use partitur_model::Fault;
use partitur_model::definition::{Evaluate, Items, Kind, Loop, Node, TemplateTree, Trigger};

use super::{DocumentDraft, shape, task};
use crate::codes;
use crate::keys::{Block, Key, Shape, texts};
use crate::reader::{At, Reader};
use crate::tree::{Form, Item};

/// A loop that is not told otherwise ends after so many iterations.
const ITERATIONS_MAX: u32 = 10_000;

pub(super) static LOOP: Block = Block {
    name: "loop",
    about: "`loop`",
    required: &["tasks"],
    ignored_prefix: None,
    keys: || texts(LOOP_KEYS),
};

#[derive(Default)]
struct LoopDraft {
    tasks: Option<Item>,
    condition: Option<Evaluate>,
    items: Option<TemplateTree>,
    keep_last: Option<u32>,
    iterations_max: Option<u32>,
}

static LOOP_KEYS: &[Key<LoopDraft>] = &[
    Key {
        name: "tasks",
        about: "the tasks of one iteration, by name",
        shape: shape::TASKS,
        read: |_, draft, at| draft.tasks = Some(at.item),
    },
    Key {
        name: "while",
        about: "another iteration follows while this holds over the latest outputs of the body",
        shape: Shape::Expression,
        read: |reader, draft, at| draft.condition = reader.expression(at).map(Evaluate::Expression),
    },
    Key {
        name: "for-each",
        about: "one iteration for each element, one after the other",
        shape: shape::ITEMS,
        read: |reader, draft, at| draft.items = read_list(reader, at),
    },
    Key {
        name: "keep-last",
        about: "outputs of older iterations are removed",
        shape: Shape::Count(1),
        read: |reader, draft, at| draft.keep_last = reader.count(at, 1),
    },
    Key {
        name: "at-most",
        about: "more iterations than this fail the task; 10000",
        shape: Shape::Count(1),
        read: |reader, draft, at| draft.iterations_max = reader.count(at, 1),
    },
];

pub(super) fn read_loop(reader: &mut Reader<'_>, at: At<'_>, document: &DocumentDraft) -> Option<Kind> {
    let mut draft = LoopDraft::default();
    reader.block(at, &LOOP, LOOP_KEYS, &mut draft);
    let item = draft.tasks?;
    if draft.condition.is_none() && draft.items.is_none() {
        let fault = Fault::error(codes::MISSING_KEY, at.place(), "a loop needs `while`, `for-each` or both");
        reader.fault(
            fault
                .label("would end never or at once")
                .hint("add `while:` with a condition over the body's outputs"),
        );
    }
    let body = task::read_scope(reader, at.member("tasks", item), document);
    let iterations_max = draft.iterations_max.unwrap_or(ITERATIONS_MAX);
    let (condition, items, keep_last) = (draft.condition, draft.items, draft.keep_last);
    Some(Kind::Loop(Box::new(Loop { body, condition, items, keep_last, iterations_max })))
}

/// A list, or one `${…}` that yields a list.
pub(super) fn read_list(reader: &mut Reader<'_>, at: At<'_>) -> Option<TemplateTree> {
    match reader.form(at) {
        Form::List => Some(reader.value_tree(at)),
        Form::Plain | Form::Quoted | Form::Literal | Form::Folded => {
            let text = reader.text(at)?.trim();
            if text.starts_with("${") && text.ends_with('}') {
                return Some(TemplateTree(partitur_model::Payload::string(text)));
            }
            reader.expected(at, "a list, or one `${…}` that yields a list");
            None
        }
        Form::Map => {
            reader.expected(at, "a list, or one `${…}` that yields a list");
            None
        }
    }
}

pub(super) fn read_matrix(reader: &mut Reader<'_>, at: At<'_>) -> Option<Items> {
    let axes = reader.named(at, |reader, name, at| Some((name.to_owned(), read_list(reader, at)?)));
    if axes.is_empty() {
        if reader.form(at) == Form::Map {
            reader.expected(at, "at least one axis");
        }
        return None;
    }
    Some(Items::Matrix(axes))
}

/// Splits a task with `for-each` into the container and the task that each branch executes.
///
/// Each attempt belongs to a branch, and with it what an attempt holds, costs and leaves behind. What orders the task
/// among others (needs, trigger) and how it ends for them (optional, total time) belongs to the container.
pub(super) fn split(whole: Node, condition_in_branch: bool) -> (Node, Node) {
    let mut outer = Node::new(whole.name.clone(), Kind::Noop);
    let mut inner = whole;
    outer.place = inner.place.clone();
    outer.description.clone_from(&inner.description);
    outer.priority = inner.priority;
    outer.trigger = std::mem::replace(&mut inner.trigger, Trigger::All);
    outer.optional = std::mem::take(&mut inner.optional);
    outer.timeouts.total = inner.timeouts.total.take();
    if !condition_in_branch {
        outer.when = inner.when.take();
    }
    (outer, inner)
}

/// Whether an expression looks at the branch: only then can each branch decide for itself.
pub(super) fn names_branch(expression: &str) -> bool {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in expression.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None if !(before.is_alphanumeric() || matches!(before, '_' | '-' | '.')) => {
                let rest = &expression[at..];
                let named = ["each", "matrix"].iter().find_map(|head| rest.strip_prefix(head));
                if named.is_some_and(|rest| rest.starts_with(['.', '['])) {
                    return true;
                }
            }
            None => {}
        }
        before = c;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::names_branch;

    #[test]
    fn only_the_heads_themselves_name_the_branch() {
        assert!(names_branch("each.value != 'x'"));
        assert!(names_branch("not (matrix.os == 'linux')"));
        for other in
            ["a.each.value", "'each.value' == inputs.x", "beach.value", "each-other.output", "eachx.y"]
        {
            assert!(!names_branch(other), "{other}");
        }
    }
}
