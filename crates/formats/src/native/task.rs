//! Tasks: a scope of them, and the mapping of each.

use std::collections::HashMap;
use std::time::Duration;

use partitur_model::definition::{
    Cache, Claim, Command, Each, Edge, Evaluate, Expression, Guard, Http, Items, Kind, Node, OutputMode,
    Priority, Program, Retry, Rule, Scope, SubRun, Switch, Template, TemplateTree, Timeouts, Trigger, Wait,
    When,
};
use partitur_model::{Fault, Place};

use super::{DocumentDraft, action, claims, container, name, needs, policy, shape};
use crate::codes;
use crate::keys::{Block, Key, Shape, texts};
use crate::reader::{At, Given, Reader, listed, with_meant};
use crate::tree::{Form, Item};

pub(crate) static TASK: Block =
    Block { name: "task", about: "a task", required: &[], ignored_prefix: None, keys: || texts(TASK_KEYS) };

/// A task as it is read. What depends on other keys stays an item until all have been seen.
#[derive(Default)]
struct TaskDraft {
    run: Option<Item>,
    shell: Option<Vec<String>>,
    command: Command,
    output: Option<OutputMode>,
    clean_env: Option<bool>,
    http: Option<Http>,
    wait: Option<Wait>,
    eval: Option<Evaluate>,
    rules: Vec<Rule>,
    first_only: bool,
    flow: Option<String>,
    with: Option<TemplateTree>,
    switch: Option<Expression>,
    items: Option<Items>,
    key: Option<Template>,
    max_parallel: Option<u32>,
    batch: Option<u32>,
    fail_fast: bool,
    loop_: Option<Item>,
    tasks: Option<Item>,
    needs: Option<Item>,
    trigger: Trigger,
    when: Option<When>,
    optional: bool,
    priority: Option<Priority>,
    expected: Option<Duration>,
    timeouts: Timeouts,
    retry: Option<Retry>,
    claims: Vec<Claim>,
    reads: Vec<Template>,
    writes: Vec<Template>,
    cache: Option<Cache>,
    undo: Option<Item>,
    breaker: Option<String>,
    at_most_once: bool,
    secrets: Vec<String>,
    agent: Option<Template>,
    description: String,
}

static TASK_KEYS: &[Key<TaskDraft>] = &[
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
        name: "description",
        about: "one line for people",
        shape: Shape::Text,
        read: |reader, draft, at| draft.description = reader.string(at).unwrap_or_default(),
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
        name: "clean-env",
        about: "only the declared environment is given, not that of the caller",
        shape: Shape::Flag,
        read: |reader, draft, at| draft.clean_env = reader.flag(at),
    },
    Key {
        name: "output",
        about: "where the output is found: the file `$PARTITUR_OUTPUT` or a last line of JSON (auto), or all of stdout",
        shape: shape::OUTPUT,
        read: |reader, draft, at| draft.output = action::read_output(reader, at),
    },
    Key {
        name: "http",
        about: "an HTTP call: a URL to get, or a block",
        shape: shape::HTTP,
        read: |reader, draft, at| draft.http = action::read_http(reader, at),
    },
    Key {
        name: "wait",
        about: "waits for time, a person, a signal or a file, and holds no slot",
        shape: Shape::Either(&[Shape::Template, Shape::Block(&action::WAIT)]),
        read: |reader, draft, at| draft.wait = action::read_wait(reader, at),
    },
    Key {
        name: "eval",
        about: "computes a value: an expression, or a tree in whose texts `${…}` is replaced",
        shape: Shape::Either(&[Shape::Expression, Shape::Named(&Shape::Any), Shape::List(&Shape::Any)]),
        read: |reader, draft, at| draft.eval = action::read_eval(reader, at),
    },
    Key {
        name: "rules",
        about: "rules that set values or fail the task, in order",
        shape: Shape::List(&Shape::Block(&action::RULE)),
        read: |reader, draft, at| draft.rules = action::read_rules(reader, at),
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
        read: |reader, draft, at| draft.flow = reader.flow(at),
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
        read: |reader, draft, at| draft.switch = reader.expression(at),
    },
    Key {
        name: "for-each",
        about: "makes one branch for each element: a list, or one `${…}` that yields a list",
        shape: Shape::Either(&[Shape::Template, Shape::List(&Shape::Any)]),
        read: |reader, draft, at| {
            let items = container::read_list(reader, at).map(Items::List);
            set_items(reader, draft, at, items);
        },
    },
    Key {
        name: "matrix",
        about: "makes one branch for each combination of the axes",
        shape: Shape::Named(&Shape::Either(&[Shape::Template, Shape::List(&Shape::Any)])),
        read: |reader, draft, at| {
            let items = container::read_matrix(reader, at);
            set_items(reader, draft, at, items);
        },
    },
    Key {
        name: "key",
        about: "the identity of a branch across resume, cache and comparison; its index otherwise",
        shape: Shape::Template,
        read: |reader, draft, at| draft.key = reader.template(at),
    },
    Key {
        name: "max-parallel",
        about: "so many branches at once",
        shape: Shape::Count(1),
        read: |reader, draft, at| draft.max_parallel = reader.count(at, 1),
    },
    Key {
        name: "batch",
        about: "so many elements to a branch, which sees them as the list `each.value`",
        shape: Shape::Count(1),
        read: |reader, draft, at| draft.batch = reader.count(at, 1),
    },
    Key {
        name: "fail-fast",
        about: "a branch that fails cancels the others",
        shape: Shape::Flag,
        read: |reader, draft, at| draft.fail_fast = reader.flag(at).unwrap_or_default(),
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
            draft.trigger =
                reader.word(at, &[("all", Trigger::All), ("any", Trigger::Any)]).unwrap_or_default();
        },
    },
    Key {
        name: "when",
        about: "executed only if this expression holds; `{if, else}` to fail or notify otherwise",
        shape: Shape::Either(&[Shape::Expression, Shape::Block(&policy::WHEN)]),
        read: |reader, draft, at| draft.when = policy::read_when(reader, at),
    },
    Key {
        name: "optional",
        about: "its failure is no failure of the run, and its successors go on",
        shape: Shape::Flag,
        read: |reader, draft, at| draft.optional = reader.flag(at).unwrap_or_default(),
    },
    Key {
        name: "priority",
        about: "its weight against other ready tasks; normal",
        shape: shape::PRIORITY,
        read: |reader, draft, at| draft.priority = policy::read_priority(reader, at),
    },
    Key {
        name: "expected",
        about: "how long it probably takes, for the order of ready tasks",
        shape: Shape::Duration,
        read: |reader, draft, at| draft.expected = reader.duration(at),
    },
    Key {
        name: "timeout",
        about: "how long an attempt may take",
        shape: Shape::Duration,
        read: |reader, draft, at| draft.timeouts.attempt = reader.duration(at),
    },
    Key {
        name: "timeouts",
        about: "how long an attempt, its silence, its wait for a slot, or all of it may take",
        shape: Shape::Block(&policy::TIMEOUTS),
        read: |reader, draft, at| policy::read_timeouts(reader, at, &mut draft.timeouts),
    },
    Key {
        name: "retry",
        about: "how often it is tried, or a block; once if missing",
        shape: shape::RETRY,
        read: |reader, draft, at| draft.retry = policy::read_retry(reader, at),
    },
    Key {
        name: "locks",
        about: "what an attempt holds while it lives: `file:…`, `dir:…`, `service:…`, or a counted resource",
        shape: Shape::OneOrMany(&Shape::Either(&[Shape::Template, Shape::Block(&claims::CLAIM)])),
        read: |reader, draft, at| draft.claims = reader.one_or_many(at, claims::read_claim),
    },
    Key {
        name: "reads",
        about: "files it reads: paths and globs",
        shape: shape::TEMPLATES,
        read: |reader, draft, at| draft.reads = reader.one_or_many(at, Reader::template),
    },
    Key {
        name: "writes",
        about: "files it writes: paths and globs",
        shape: shape::TEMPLATES,
        read: |reader, draft, at| draft.writes = reader.one_or_many(at, Reader::template),
    },
    Key {
        name: "cache",
        about: "an equal earlier result serves: `true`, or a block",
        shape: Shape::Either(&[Shape::Flag, Shape::Block(&policy::CACHE)]),
        read: |reader, draft, at| draft.cache = policy::read_cache(reader, at),
    },
    Key {
        name: "undo",
        about: "what undoes the task when the run is rolled back: a command, or a block",
        shape: Shape::Either(&[Shape::Template, Shape::List(&Shape::Template), Shape::Block(&action::UNDO)]),
        read: |_, draft, at| draft.undo = Some(at.item),
    },
    Key {
        name: "breaker",
        about: "the breaker of the dependency that it uses",
        shape: Shape::Text,
        read: |reader, draft, at| draft.breaker = reader.string(at),
    },
    Key {
        name: "at-most-once",
        about: "after a crash of the engine it fails instead of being run again",
        shape: Shape::Flag,
        read: |reader, draft, at| draft.at_most_once = reader.flag(at).unwrap_or_default(),
    },
    Key {
        name: "secrets",
        about: "secrets given to it as private files; `$NAME_FILE` holds the path",
        shape: shape::TEXTS,
        read: |reader, draft, at| draft.secrets = reader.one_or_many(at, Reader::string),
    },
    Key {
        name: "agent",
        about: "the agent whose task it is",
        shape: Shape::Template,
        read: |reader, draft, at| draft.agent = reader.template(at),
    },
];

/// Keys that mean nothing without one of some others.
const COMPANIONS: &[(&[&str], &[&str])] = &[
    (&["shell", "dir", "env", "clean-env"], &["run", "undo"]),
    (&["stdin", "output"], &["run"]),
    (&["first-only"], &["rules"]),
    (&["with"], &["flow"]),
    (&["key", "max-parallel", "batch", "fail-fast", "tasks"], &["for-each", "matrix"]),
];

/// Keys that belong to what is executed, so not to a task that is made of tasks.
const OF_ATTEMPTS: &[&str] = &[
    "timeout",
    "retry",
    "locks",
    "reads",
    "writes",
    "cache",
    "undo",
    "breaker",
    "at-most-once",
    "secrets",
    "agent",
    "expected",
];

/// The keys of which a task has one.
const ACTIONS: &[&str] = &["run", "http", "wait", "eval", "rules", "flow", "switch", "loop", "tasks"];

fn set_items(reader: &mut Reader<'_>, draft: &mut TaskDraft, at: At<'_>, items: Option<Items>) {
    if draft.items.is_some() {
        let fault = Fault::error(codes::CONFLICT, at.place(), "a task has `for-each` or `matrix`, not both");
        reader.fault(fault.label("the second").hint("put one inside the other with `tasks:`"));
        return;
    }
    draft.items = items;
}

/// Reads the tasks of a scope and the edges between them.
pub(super) fn read_scope(reader: &mut Reader<'_>, at: At<'_>, document: &DocumentDraft) -> Scope {
    let entries = reader.entries(at);
    if entries.is_empty() {
        if reader.form(at) == Form::Map {
            let fault = Fault::error(codes::EMPTY, at.place(), "there are no tasks");
            reader.fault(fault.label("empty"));
        }
        return Scope::default();
    }
    let numbered = entries.iter().enumerate().map(|(index, (name, _))| (*name, index as u32));
    reader.names.enter(numbered.collect::<HashMap<_, _>>());
    let mut scope = Scope { nodes: Vec::with_capacity(entries.len()), edges: Vec::new() };
    for (index, (name, item)) in entries.into_iter().enumerate() {
        let at = at.member(name, item);
        if let Some(fault) = name::task_name_fault(name, at) {
            reader.fault(fault);
        }
        scope.nodes.push(read_task(reader, name, index as u32, at, document, &mut scope.edges));
    }
    reader.names.leave();
    settle_switches(reader, &mut scope);
    scope
}

fn read_task(
    reader: &mut Reader<'_>,
    name: &str,
    index: u32,
    at: At<'_>,
    document: &DocumentDraft,
    edges: &mut Vec<Edge>,
) -> Node {
    let mut draft = TaskDraft::default();
    let given = reader.block(at, &TASK, TASK_KEYS, &mut draft);
    if reader.form(at) == Form::Map {
        check_keys(reader, name, at, given, &draft);
    }
    check_declared(reader, at, &draft, document);
    if let Some(item) = draft.needs {
        needs::read_needs(reader, at.member("needs", item), name, index, edges);
    }
    build(reader, name, at, draft, document)
}

/// Refuses combinations of keys that cannot be meant.
fn check_keys(reader: &mut Reader<'_>, name: &str, at: At<'_>, given: Given, draft: &TaskDraft) {
    let has = |key: &str| given.has(TASK_KEYS, key);
    let actions: Vec<&str> = ACTIONS.iter().copied().filter(|action| has(action)).collect();
    if actions.len() > 1 {
        let message = format!("task `{name}` has {}, but a task does one thing", listed(&actions));
        let place = at.place().member(actions[1]);
        reader.fault(
            Fault::error(codes::CONFLICT, place, message)
                .label("the second action")
                .hint("make a task of each"),
        );
    }
    if actions.is_empty() && (!has("needs") || draft.items.is_some()) {
        let fault = Fault::error(codes::NO_ACTION, at.place(), format!("task `{name}` does nothing"))
            .label("no action");
        reader.fault(fault.hint(format!("give it one of {}", ACTIONS[..8].join(", "))));
    }
    for (keys, companions) in COMPANIONS {
        if companions.iter().any(|companion| has(companion)) {
            continue;
        }
        for key in keys.iter().filter(|key| has(key)) {
            let message = format!("`{key}` has no effect without {}", companions.join(" or "));
            let place = at.place().member(key);
            reader.fault(Fault::error(codes::WITHOUT_EFFECT, place, message).label("no effect"));
        }
    }
    if has("loop") || has("tasks") {
        for key in OF_ATTEMPTS.iter().filter(|key| has(key)) {
            let message = format!("`{key}` has no effect on a task that is made of tasks");
            let fault =
                Fault::error(codes::WITHOUT_EFFECT, at.place().member(key), message).label("no effect");
            reader.fault(fault.hint("give it to the tasks of the body"));
        }
    }
}

/// Secrets and breakers are declared at the top, so that a slip of the pen does not make a new one.
fn check_declared(reader: &mut Reader<'_>, at: At<'_>, draft: &TaskDraft, document: &DocumentDraft) {
    let secrets = &document.definition.secrets;
    for secret in draft.secrets.iter().filter(|secret| !secrets.contains(secret)) {
        let place = at.place().member("secrets");
        let fault = undeclared(place, "secret", "secrets", secret, secrets.iter().map(String::as_str));
        reader.fault(fault);
    }
    let breakers = || document.definition.breakers.iter().map(|breaker| breaker.name.as_str());
    if let Some(breaker) =
        draft.breaker.as_deref().filter(|breaker| !breakers().any(|known| known == *breaker))
    {
        let fault = undeclared(at.place().member("breaker"), "breaker", "breakers", breaker, breakers());
        reader.fault(fault);
    }
}

fn undeclared<'a>(
    place: Place,
    what: &str,
    key: &str,
    name: &str,
    known: impl Iterator<Item = &'a str>,
) -> Fault {
    let message = format!("the document declares no {what} `{}`", crate::reader::shorten(name));
    let fault = Fault::error(codes::UNDECLARED, place, message).label(format!("unknown {what}"));
    let fault = with_meant(fault, name, known);
    if fault.hint.is_some() { fault } else { fault.hint(format!("declare it at the top: `{key}: [{name}]`")) }
}

fn build(
    reader: &mut Reader<'_>,
    name: &str,
    at: At<'_>,
    mut draft: TaskDraft,
    document: &DocumentDraft,
) -> Node {
    let defaults = &document.defaults;
    let shell = draft.shell.take().or_else(|| defaults.shell.clone());
    let command = settle_command(&mut draft, defaults);
    let undo = draft.undo.and_then(|item| {
        action::read_undo(reader, at.member("undo", item), &command, shell.as_deref()).map(Box::new)
    });
    let items = draft.items.take();
    let kind = read_kind(reader, at, &mut draft, command, shell.as_deref(), document);
    let mut node = Node {
        name: name.to_owned(),
        kind,
        trigger: draft.trigger,
        when: draft.when,
        optional: draft.optional,
        priority: draft.priority.or(defaults.priority).unwrap_or_default(),
        expected: draft.expected,
        retry: draft.retry,
        timeouts: draft.timeouts,
        claims: draft.claims,
        reads: draft.reads,
        writes: draft.writes,
        cache: draft.cache,
        undo,
        breaker: draft.breaker,
        at_most_once: draft.at_most_once,
        secrets: draft.secrets,
        agent: draft.agent,
        description: draft.description,
        place: at.place(),
    };
    defaults.apply(&mut node);
    let Some(items) = items else { return node };
    let branch = Branches {
        items,
        key: draft.key,
        max_parallel: draft.max_parallel,
        batch: draft.batch,
        fail_fast: draft.fail_fast,
    };
    let tasks = draft.tasks.map(|item| read_scope(reader, at.member("tasks", item), document));
    branch.around(node, tasks)
}

fn settle_command(draft: &mut TaskDraft, defaults: &policy::Defaults) -> Command {
    let mut command = std::mem::take(&mut draft.command);
    command.dir = command.dir.or_else(|| defaults.dir.clone());
    command.clean_env = draft.clean_env.unwrap_or(defaults.clean_env);
    command.output = draft.output.or(defaults.output).unwrap_or_default();
    command
}

fn read_kind(
    reader: &mut Reader<'_>,
    at: At<'_>,
    draft: &mut TaskDraft,
    command: Command,
    shell: Option<&[String]>,
    document: &DocumentDraft,
) -> Kind {
    if let Some(item) = draft.run {
        let program: Option<Program> = action::read_program(reader, at.member("run", item), shell);
        return Kind::Command(Command { program: program.unwrap_or_default(), ..command });
    }
    if let Some(item) = draft.loop_ {
        return container::read_loop(reader, at.member("loop", item), document).unwrap_or(Kind::Noop);
    }
    if let Some(http) = draft.http.take() {
        return Kind::Http(http);
    }
    if let Some(wait) = draft.wait.take() {
        return Kind::Wait(wait);
    }
    if let Some(eval) = draft.eval.take() {
        return Kind::Evaluate(eval);
    }
    if !draft.rules.is_empty() {
        return Kind::Evaluate(action::rule_set(std::mem::take(&mut draft.rules), draft.first_only));
    }
    if let Some(flow) = draft.flow.take() {
        let input = draft.with.take().unwrap_or_else(action::empty_object);
        return Kind::SubRun(SubRun { flow, input });
    }
    match draft.switch.take() {
        Some(value) => Kind::Switch(Switch { value: Evaluate::Expression(value), cases: Vec::new() }),
        None => Kind::Noop,
    }
}

/// What `for-each` and `matrix` say about their branches.
struct Branches {
    items: Items,
    key: Option<Template>,
    max_parallel: Option<u32>,
    batch: Option<u32>,
    fail_fast: bool,
}

impl Branches {
    /// The container: around the tasks of the body, or around the task itself.
    fn around(self, node: Node, tasks: Option<Scope>) -> Node {
        let in_branch = node.when.as_ref().is_some_and(|when| container::names_branch(&when.condition.0));
        let (mut outer, body) = match tasks {
            Some(body) => (node, body),
            None => {
                let (outer, inner) = container::split(node, in_branch);
                (outer, Scope { nodes: vec![inner], edges: Vec::new() })
            }
        };
        let Branches { items, key, max_parallel, batch, fail_fast } = self;
        outer.kind = Kind::Each(Box::new(Each { items, key, max_parallel, batch, body, fail_fast }));
        outer
    }
}

/// The cases of a switch are those under which its successors need it.
fn settle_switches(reader: &mut Reader<'_>, scope: &mut Scope) {
    for edge in &scope.edges {
        let node = &mut scope.nodes[edge.from as usize];
        match (&edge.guard, &mut node.kind) {
            (Guard::Case(case), Kind::Switch(switch)) => {
                if !switch.cases.contains(case) {
                    switch.cases.push(case.clone());
                }
            }
            (Guard::DefaultCase, Kind::Switch(_)) => {}
            (Guard::Case(_) | Guard::DefaultCase, _) => {
                let message = format!("task `{}` is no `switch`, so it has no cases", node.name);
                reader.fault(Fault::error(codes::CONFLICT, edge.place.clone(), message).label("no switch"));
            }
            (Guard::Success | Guard::Failure | Guard::Any | Guard::Continue, _) => {}
        }
    }
}
