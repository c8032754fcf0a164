//! Tasks: a scope of them, and the mapping of each.

use std::sync::Arc;

use hashbrown::HashSet;
use partitur_model::definition::{
    Command, Each, Evaluate, Guard, Items, Kind, Node, Scope, Template, TemplateTree, Trigger,
};
use partitur_model::{Fault, Place};

use super::{DocumentDraft, action, claims, combination, container, name, needs, policy, service, shape};
use crate::codes;
use crate::keys::{Block, Key, Shape, texts};
use crate::reader::{At, Reader};
use crate::tree::{Form, Item};

pub(crate) static TASK: Block =
    Block { name: "task", about: "a task", required: &[], ignored_prefix: None, keys: || texts(TASK_KEYS) };

/// A task as it is read. What depends on other keys stays an item until all have been seen.
pub(super) struct TaskDraft {
    node: Node,
    command: Command,
    shell: Option<Arc<[String]>>,
    run: Option<Item>,
    undo: Option<Item>,
    service: Option<Item>,
    needs: Option<Item>,
    tasks: Option<Item>,
    loop_: Option<Item>,
    first_only: bool,
    with: Option<TemplateTree>,
    branches: Option<Box<Branches>>,
}

impl TaskDraft {
    fn new(name: &str, place: Place, defaults: &policy::Defaults) -> TaskDraft {
        let command = Command {
            dir: defaults.dir.clone(),
            env_files: defaults.env_files.clone(),
            clean_env: defaults.clean_env,
            output: defaults.output.unwrap_or_default(),
            ..Command::default()
        };
        let mut node = Node::at(name, place);
        node.priority = defaults.priority.unwrap_or_default();
        TaskDraft {
            node,
            command,
            shell: None,
            run: None,
            undo: None,
            service: None,
            needs: None,
            tasks: None,
            loop_: None,
            first_only: false,
            with: None,
            branches: None,
        }
    }

    fn branches(&mut self) -> &mut Branches {
        self.branches.get_or_insert_default()
    }
}

/// What `for-each` and `matrix` say about their branches.
#[derive(Default)]
struct Branches {
    items: Option<Items>,
    key: Option<Template>,
    max_parallel: Option<u32>,
    batch: Option<u32>,
    fail_fast: bool,
}

pub(super) static TASK_KEYS: &[Key<TaskDraft>] = &[
    Key {
        name: "run",
        about: "the command: a script for the shell, or a list of the program and its arguments",
        shape: shape::RUN,
        read: |_, draft, at| draft.run = Some(at.item),
    },
    Key {
        name: "needs",
        about: "the tasks that must have succeeded before, by name; `{task, outcome}` for another outcome",
        shape: Shape::OneOrMany(&Shape::Either(&[Shape::Text, Shape::Block(&needs::NEED)])),
        read: |_, draft, at| draft.needs = Some(at.item),
    },
    Key {
        name: "service",
        about: "the command lives as long as others need it: `true`, or how it is known to be up",
        shape: Shape::Either(&[Shape::Flag, Shape::Block(&service::SERVICE)]),
        read: |_, draft, at| draft.service = Some(at.item),
    },
    Key {
        name: "description",
        about: "one line for people",
        shape: Shape::Text,
        read: |reader, draft, at| draft.node.description = reader.string(at).unwrap_or_default(),
    },
    Key {
        name: "shell",
        about: "what runs the script: `sh` (the default), `bash`, …, or a list of a program and its flags",
        shape: shape::SHELL,
        read: |reader, draft, at| draft.shell = action::read_shell(reader, at),
    },
    Key {
        name: "dir",
        about: "working directory, relative to the document's",
        shape: Shape::Template,
        read: |reader, draft, at| draft.command.dir = reader.template(at),
    },
    Key {
        name: "stdin",
        about: "written to standard input, which is empty otherwise",
        shape: Shape::Template,
        read: |reader, draft, at| draft.command.stdin = reader.template(at),
    },
    Key {
        name: "env",
        about: "environment variables, added to those of the document",
        shape: shape::ENV,
        read: |reader, draft, at| draft.command.env = action::read_env(reader, at),
    },
    Key {
        name: "env-file",
        about: "files with more environment variables, `NAME=value` in a line; `env` wins over them",
        shape: shape::TEMPLATES,
        read: |reader, draft, at| draft.command.env_files = reader.one_or_many(at, Reader::template),
    },
    Key {
        name: "clean-env",
        about: "only the declared environment is given, not that of the caller",
        shape: Shape::Flag,
        read: |reader, draft, at| draft.command.clean_env = reader.flag(at).unwrap_or_default(),
    },
    Key {
        name: "output",
        about: "where the output is found: the file `$PARTITUR_OUTPUT` or a last line of JSON (auto), or all of stdout",
        shape: shape::OUTPUT,
        read: |reader, draft, at| draft.command.output = action::read_output(reader, at).unwrap_or_default(),
    },
    Key {
        name: "http",
        about: "an HTTP call: a URL to get, or a block",
        shape: shape::HTTP,
        read: |reader, draft, at| set_kind(draft, action::read_http(reader, at).map(Kind::Http)),
    },
    Key {
        name: "wait",
        about: "waits for time, a person, a signal or a file, and holds no slot",
        shape: Shape::Either(&[
            Shape::Word(&["approval", "signal"]),
            Shape::Duration,
            Shape::Pattern(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]"),
            Shape::Pattern(r"\$\{"),
            Shape::Block(&action::WAIT),
        ]),
        read: |reader, draft, at| set_kind(draft, action::read_wait(reader, at).map(Kind::Wait)),
    },
    Key {
        name: "eval",
        about: "computes a value: an expression, or a tree in whose texts `${…}` is replaced",
        shape: Shape::Either(&[Shape::Expression, Shape::Named(&Shape::Any), Shape::List(&Shape::Any)]),
        read: |reader, draft, at| set_kind(draft, action::read_eval(reader, at).map(Kind::Evaluate)),
    },
    Key {
        name: "rules",
        about: "rules that set values or fail the task, in order",
        shape: Shape::List(&Shape::Block(&action::RULE)),
        read: |reader, draft, at| draft.node.kind = Kind::Evaluate(action::read_rules(reader, at)),
    },
    Key {
        name: "first-only",
        about: "only the first rule that fires counts",
        shape: Shape::Flag,
        read: |reader, draft, at| draft.first_only = reader.flag(at).unwrap_or_default(),
    },
    Key {
        name: "flow",
        about: "a sub-flow: the path of its file, relative to this one",
        shape: Shape::Text,
        read: |reader, draft, at| set_kind(draft, action::read_flow(reader, at)),
    },
    Key {
        name: "with",
        about: "the inputs of the sub-flow",
        shape: Shape::Named(&Shape::Any),
        read: |reader, draft, at| {
            if reader.form(at) == Form::Map {
                draft.with = Some(reader.value_tree(at));
            } else {
                reader.expected(at, "a mapping");
            }
        },
    },
    Key {
        name: "switch",
        about: "an expression whose value chooses the case under which successors need this task",
        shape: Shape::Expression,
        read: |reader, draft, at| set_kind(draft, action::read_switch(reader, at)),
    },
    Key {
        name: "for-each",
        about: "makes one branch for each element: a list, or one `${…}` that yields a list",
        shape: shape::ITEMS,
        read: |reader, draft, at| {
            let items = container::read_list(reader, at).map(Items::List);
            set_items(reader, draft, at, items);
        },
    },
    Key {
        name: "matrix",
        about: "makes one branch for each combination of the axes",
        shape: Shape::Filled(&Shape::Named(&shape::ITEMS)),
        read: |reader, draft, at| {
            let items = container::read_matrix(reader, at);
            set_items(reader, draft, at, items);
        },
    },
    Key {
        name: "key",
        about: "the identity of a branch across resume, cache and comparison; its index otherwise",
        shape: Shape::Template,
        read: |reader, draft, at| draft.branches().key = reader.template(at),
    },
    Key {
        name: "max-parallel",
        about: "so many branches at once",
        shape: Shape::Count(1),
        read: |reader, draft, at| draft.branches().max_parallel = reader.count(at, 1),
    },
    Key {
        name: "batch",
        about: "so many elements to a branch, which sees them as the list `each.value`",
        shape: Shape::Count(1),
        read: |reader, draft, at| draft.branches().batch = reader.count(at, 1),
    },
    Key {
        name: "fail-fast",
        about: "a branch that fails cancels the others",
        shape: Shape::Flag,
        read: |reader, draft, at| draft.branches().fail_fast = reader.flag(at).unwrap_or_default(),
    },
    Key {
        name: "loop",
        about: "a body of tasks, again and again",
        shape: Shape::Block(&container::LOOP),
        read: |_, draft, at| draft.loop_ = Some(at.item),
    },
    Key {
        name: "tasks",
        about: "with `for-each` or `matrix`: the tasks of each branch, by name",
        shape: shape::TASKS,
        read: |_, draft, at| draft.tasks = Some(at.item),
    },
    Key {
        name: "trigger",
        about: "ready when all needs are met, or when the first one is; all",
        shape: Shape::Word(&["all", "any"]),
        read: |reader, draft, at| {
            draft.node.trigger =
                reader.word(at, &[("all", Trigger::All), ("any", Trigger::Any)]).unwrap_or_default();
        },
    },
    Key {
        name: "when",
        about: "executed only if this expression holds; `{if, else}` to fail or notify otherwise",
        shape: Shape::Either(&[Shape::Expression, Shape::Block(&policy::WHEN)]),
        read: |reader, draft, at| draft.node.when = policy::read_when(reader, at),
    },
    Key {
        name: "optional",
        about: "its failure is no failure of the run, and its successors go on",
        shape: Shape::Flag,
        read: |reader, draft, at| draft.node.optional = reader.flag(at).unwrap_or_default(),
    },
    Key {
        name: "priority",
        about: "its weight against other ready tasks; normal",
        shape: shape::PRIORITY,
        read: |reader, draft, at| draft.node.priority = policy::read_priority(reader, at).unwrap_or_default(),
    },
    Key {
        name: "expected",
        about: "how long it probably takes, for the order of ready tasks",
        shape: Shape::Duration,
        read: |reader, draft, at| draft.node.expected = reader.duration(at),
    },
    Key {
        name: "timeout",
        about: "how long an attempt may take",
        shape: Shape::Duration,
        read: |reader, draft, at| draft.node.timeouts.attempt = reader.duration(at),
    },
    Key {
        name: "timeouts",
        about: "how long an attempt, its silence, its wait for a slot, or all of it may take",
        shape: Shape::Block(&policy::TIMEOUTS),
        read: |reader, draft, at| policy::read_timeouts(reader, at, &mut draft.node.timeouts),
    },
    Key {
        name: "retry",
        about: "how often it is tried, or a block; once if missing",
        shape: shape::RETRY,
        read: |reader, draft, at| draft.node.retry = policy::read_retry(reader, at).map(Box::new),
    },
    Key {
        name: "locks",
        about: "what an attempt holds while it lives: `file:…`, `dir:…`, `service:…`, or a counted resource",
        shape: Shape::OneOrMany(&Shape::Either(&[Shape::Template, Shape::Block(&claims::CLAIM)])),
        read: |reader, draft, at| draft.node.claims = claims::read_claims(reader, at),
    },
    Key {
        name: "reads",
        about: "files it reads: paths and globs; with `writes`, it is executed only if something has changed",
        shape: shape::TEMPLATES,
        read: |reader, draft, at| draft.node.reads = reader.one_or_many(at, Reader::template),
    },
    Key {
        name: "writes",
        about: "files it writes: paths and globs",
        shape: shape::TEMPLATES,
        read: |reader, draft, at| draft.node.writes = reader.one_or_many(at, Reader::template),
    },
    Key {
        name: "cache",
        about: "an equal earlier result serves: `true`, for how long, or a block; `false`: none ever does",
        shape: Shape::Either(&[Shape::Flag, Shape::Duration, Shape::Block(&policy::CACHE)]),
        read: |reader, draft, at| {
            draft.node.cache = policy::read_cache(reader, at);
            draft.node.is_always_executed = draft.node.cache.is_none();
        },
    },
    Key {
        name: "undo",
        about: "what undoes the task when the run is rolled back: a command, or a block",
        shape: Shape::Either(&[
            Shape::Template,
            Shape::Filled(&Shape::List(&Shape::Template)),
            Shape::Block(&action::UNDO),
        ]),
        read: |_, draft, at| draft.undo = Some(at.item),
    },
    Key {
        name: "breaker",
        about: "the breaker of the dependency that it uses",
        shape: Shape::Text,
        read: |reader, draft, at| draft.node.breaker = reader.string(at),
    },
    Key {
        name: "at-most-once",
        about: "after a crash of the engine it fails instead of being run again",
        shape: Shape::Flag,
        read: |reader, draft, at| draft.node.at_most_once = reader.flag(at).unwrap_or_default(),
    },
    Key {
        name: "secrets",
        about: "secrets given to it as private files; `$NAME_FILE` holds the path",
        shape: shape::TEXTS,
        read: |reader, draft, at| draft.node.secrets = reader.one_or_many(at, Reader::string),
    },
    Key {
        name: "agent",
        about: "the agent whose task it is",
        shape: Shape::Template,
        read: |reader, draft, at| draft.node.agent = reader.template(at),
    },
    Key {
        name: "type",
        about: "what kind of work it is, for `resource-rules`",
        shape: Shape::Text,
        read: |reader, draft, at| draft.node.task_type = reader.string(at),
    },
    Key {
        name: "context",
        about: "what is told about it, for `resource-rules`",
        shape: Shape::Named(&Shape::Any),
        read: |reader, draft, at| {
            if reader.form(at) == Form::Map {
                draft.node.context = Some(reader.value_tree(at));
            } else {
                reader.expected(at, "a mapping");
            }
        },
    },
];

fn set_kind(draft: &mut TaskDraft, kind: Option<Kind>) {
    if let Some(kind) = kind {
        draft.node.kind = kind;
    }
}

fn set_items(reader: &mut Reader<'_>, draft: &mut TaskDraft, at: At<'_>, items: Option<Items>) {
    if draft.branches().items.is_some() {
        let fault = Fault::error(codes::CONFLICT, at.place(), "a task has `for-each` or `matrix`, not both");
        reader.fault(fault.label("the second").hint("put one inside the other with `tasks:`"));
        return;
    }
    draft.branches().items = items;
}

/// Reads the tasks of a scope and the edges between them.
pub(super) fn read_scope(reader: &mut Reader<'_>, at: At<'_>, document: &DocumentDraft) -> Scope {
    let entries = reader.enter_scope(at);
    if entries.is_empty() && reader.form(at) == Form::Map {
        reader.fault(Fault::error(codes::EMPTY, at.place(), "there are no tasks").label("empty"));
    }
    let mut scope = Scope { nodes: Vec::with_capacity(entries.len()), edges: Vec::new() };
    for (name, item) in entries {
        let at = at.member(name, item);
        if let Some(fault) = name::task_name_fault(name, at) {
            reader.fault(fault);
        }
        read_task(reader, name, at, document, &mut scope);
    }
    reader.names.leave();
    settle_switches(reader, &mut scope);
    scope
}

/// Reads a task to the end of `scope`. It is large, so it is moved as seldom as possible.
fn read_task(reader: &mut Reader<'_>, name: &str, at: At<'_>, document: &DocumentDraft, scope: &mut Scope) {
    let mut draft = TaskDraft::new(name, at.place(), &document.defaults);
    let given = reader.block(at, &TASK, TASK_KEYS, &mut draft);
    if reader.form(at) == Form::Map {
        combination::check_actions(reader, given, &draft.node);
        combination::check_companions(reader, given, &draft.node);
    }
    document.declared.check(reader, &draft.node);
    if let Some(item) = draft.needs {
        let index = scope.nodes.len() as u32;
        needs::read_needs(reader, at.member("needs", item), name, index, &mut scope.edges);
    }
    settle(reader, at, &mut draft, document);
    scope.nodes.push(match draft.branches.take() {
        None => draft.node,
        Some(branches) => {
            let tasks = draft.tasks.map(|item| read_scope(reader, at.member("tasks", item), document));
            branches.around(draft.node, tasks)
        }
    });
}

/// Reads what depends on several keys.
fn settle(reader: &mut Reader<'_>, at: At<'_>, draft: &mut TaskDraft, document: &DocumentDraft) {
    let defaults = &document.defaults;
    let shell = draft.shell.as_ref().or(defaults.shell.as_ref());
    let node = &mut draft.node;
    if let Some(item) = draft.undo {
        let undo = action::read_undo(reader, at.member("undo", item), &draft.command, shell);
        node.undo = undo.map(Box::new);
    }
    if let Kind::Evaluate(Evaluate::Rules(rules)) = &mut node.kind {
        rules.first_only = draft.first_only;
    }
    if let (Kind::SubRun(sub), Some(input)) = (&mut node.kind, draft.with.take()) {
        sub.input = input;
    }
    if let Some(item) = draft.run {
        let program = action::read_program(reader, at.member("run", item), shell).unwrap_or_default();
        let service = draft.service.map(|item| at.member("service", item));
        let service = service.and_then(|at| service::read_service(reader, at, shell)).map(Box::new);
        node.kind = Kind::Command(Command { program, service, ..std::mem::take(&mut draft.command) });
    } else if let Some(item) = draft.loop_ {
        let kind = container::read_loop(reader, at.member("loop", item), document);
        node.kind = kind.unwrap_or(Kind::Noop);
    }
    defaults.apply(node);
}

impl Branches {
    /// The container: around the tasks of the body, or around the task itself.
    fn around(self, node: Node, tasks: Option<Scope>) -> Node {
        let Branches { items: Some(items), key, max_parallel, batch, fail_fast } = self else { return node };
        let in_branch = node.when.as_ref().is_some_and(|when| container::names_branch(&when.condition.0));
        let (mut outer, body) = match tasks {
            Some(body) => (node, body),
            None => {
                let (outer, inner) = container::split(node, in_branch);
                (outer, Scope { nodes: vec![inner], edges: Vec::new() })
            }
        };
        outer.kind = Kind::Each(Box::new(Each { items, key, max_parallel, batch, body, fail_fast }));
        outer
    }
}

/// The cases of a switch are those under which its successors need it.
pub(crate) fn settle_switches(reader: &mut Reader<'_>, scope: &mut Scope) {
    let mut seen = HashSet::new();
    for edge in &scope.edges {
        match &edge.guard {
            Guard::Success | Guard::Failure | Guard::Any | Guard::Continue => continue,
            Guard::Case(_) | Guard::DefaultCase => {}
        }
        let node = &mut scope.nodes[edge.from as usize];
        let Kind::Switch(switch) = &mut node.kind else {
            let message = format!("task `{}` is no `switch`, so it has no cases", node.name);
            reader.fault(Fault::error(codes::CONFLICT, edge.place.clone(), message).label("no switch"));
            continue;
        };
        if let Guard::Case(case) = &edge.guard
            && seen.insert((edge.from, case.as_str()))
        {
            switch.cases.push(case.clone());
        }
    }
}
