//! What names in templates and expressions mean, and whether what they mean is there by then.

use partitur_expr::{Lookup, Path, Step};
use partitur_model::definition::{Dialect, Each, InputSpec, Items, Kind};
use partitur_model::{Fault, Payload, Place};

use super::order::Question;
use super::outline::Outline;
use super::suggest::Suggest;
use super::{Cx, Found, Part, codes};

/// What expressions may begin with besides the names of tasks.
const HEADS: &[&str] = &["inputs", "env", "self", "each", "matrix", "run"];
/// What a task has.
const OF_TASKS: &[&str] = &["output", "error", "outcome", "attempts", "iteration"];
/// What `self` has.
const OF_SELF: &[&str] = &["output", "error", "outcome", "attempts", "iteration", "attempt", "path"];
/// What the error of a task or run has.
const OF_ERRORS: &[&str] = &["code", "message"];
/// What `each` has.
const OF_EACH: &[&str] = &["value", "index", "key"];
/// What `run` has.
const OF_RUNS: &[&str] = &["id", "number", "name", "started", "error", "variables"];

/// What stands around an expression.
#[derive(Clone, Copy)]
pub(super) struct Sight {
    pub part: Part,
    tasks: Tasks,
    own: Own,
    /// The scope whose branch `each` and `matrix` mean.
    branch: Option<u32>,
    offsets: bool,
}

/// Which tasks an expression sees.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tasks {
    /// None; perhaps the run.
    None { run: bool },
    /// All, for they have ended.
    All,
    /// Those of a scope and the ones around it that have ended when the flat graph comes to `position`.
    From { scope: u32, position: u32, task: u32 },
}

/// What `self` means.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Own {
    Nothing,
    /// A task that has no output yet.
    Attempt,
    /// A task with its output.
    Output,
}

impl Sight {
    pub fn top(part: Part, tasks: Tasks) -> Sight {
        Sight { part, tasks, own: Own::Nothing, branch: None, offsets: true }
    }

    /// From a task that is about to begin.
    pub fn of(outline: &Outline<'_>, task: u32, own: Own) -> Sight {
        let at = outline.task(task);
        let tasks = Tasks::From { scope: at.scope, position: task, task };
        Sight { part: Part::Task(at.rank), tasks, own, branch: Some(at.scope), offsets: true }
    }

    /// From the key of a for-each: it sees what the container sees, and the element.
    pub fn of_key(outline: &Outline<'_>, task: u32) -> Sight {
        Sight { branch: outline.task(task).body, ..Sight::of(outline, task, Own::Nothing) }
    }

    /// From the condition of a loop: an iteration has ended.
    pub fn of_while(outline: &Outline<'_>, task: u32) -> Sight {
        let at = outline.task(task);
        let scope = at.body.unwrap_or(at.scope);
        let tasks = Tasks::From { scope, position: at.end, task };
        Sight { tasks, branch: Some(scope), ..Sight::of(outline, task, Own::Output) }
    }

    pub fn with(self, own: Own) -> Sight {
        Sight { own, ..self }
    }

    pub fn without_offsets(self) -> Sight {
        Sight { offsets: false, ..self }
    }

    pub fn has_offsets(self) -> bool {
        self.offsets
    }
}

/// Sees nothing: for expressions that name nothing.
pub(super) struct Nothing;

impl Lookup for Nothing {
    fn lookup(&self, _head: &str, _steps: &[Step]) -> Option<Payload> {
        None
    }
}

/// A reference to a task that may not have ended by then: whether it has is found out for all of them together.
struct Doubt {
    /// The end of the task named, and where the reader stands.
    question: Question,
    target: u32,
    reader: u32,
    place: Place,
    within: Option<(u32, u32)>,
    part: Part,
}

/// Looks at names.
pub(super) struct Names<'a, 'd> {
    cx: &'a Cx<'d>,
    suggest: Suggest,
    doubts: Vec<Doubt>,
    inputs: hashbrown::HashMap<&'d str, &'d InputSpec>,
}

impl<'a, 'd> Names<'a, 'd> {
    pub fn new(cx: &'a Cx<'d>) -> Names<'a, 'd> {
        let inputs = cx.definition.inputs.iter().map(|input| (input.name.as_str(), input)).collect();
        Names { cx, suggest: Suggest::new(), doubts: Vec::new(), inputs }
    }

    /// Looks at a path of the text at `place`.
    pub fn look(
        &mut self,
        path: &Path,
        text: &str,
        place: &dyn Fn() -> Place,
        sight: &Sight,
        found: &mut Found,
    ) {
        // Conductor takes whatever it does not know for null.
        if self.cx.definition.dialect == Dialect::Conductor {
            return;
        }
        let mut site = Site { path, text, place, sight, found };
        match &*path.head {
            "inputs" => self.input(&mut site),
            "env" => self.variable(&mut site),
            "self" => self.own(&mut site),
            "each" => self.each(&mut site),
            "matrix" => self.matrix(&mut site),
            "run" => self.run(&mut site),
            name => self.task(name, &mut site),
        }
    }

    fn input(&self, site: &mut Site<'_>) {
        let Some(name) = first_key(&site.path.steps) else { return };
        if self.inputs.contains_key(name) {
            return;
        }
        let known = self.cx.definition.inputs.iter().map(|input| input.name.as_str());
        let hint = self.suggest.hint(name, known);
        let hint = hint.unwrap_or_else(|| format!("declare it at the top: `inputs: {{ {name}: string }}`"));
        site.fault(codes::UNKNOWN_INPUT, format!("the document declares no input `{name}`"), "unknown input")
            .tell(Some(hint));
    }

    fn variable(&self, site: &mut Site<'_>) {
        if let Tasks::None { .. } = site.sight.tasks {
            return site.meaningless("`env` is not known here", "name an input instead");
        }
        let Some(name) = first_key(&site.path.steps) else { return };
        let known = self.cx.definition.env.iter().map(|(name, _)| name.as_str());
        if known.clone().any(|known| known == name) {
            return;
        }
        let hint = self.suggest.near(name, known).map(|near| format!("did you mean `{near}`?"));
        let hint = hint.unwrap_or_else(|| {
            "only the variables under `env` at the top can be named; a script reads all others as `$NAME`"
                .to_owned()
        });
        let message = format!("the document sets no variable `{name}`");
        site.fault(codes::UNKNOWN_VARIABLE, message, "unknown variable").tell(Some(hint));
    }

    fn own(&self, site: &mut Site<'_>) {
        let member = first_key(&site.path.steps);
        match (site.sight.own, member) {
            (Own::Nothing, _) => {
                site.meaningless("`self` means nothing here", "name a task that has ended instead");
            }
            (Own::Attempt, Some("output")) => {
                site.meaningless(
                    "the task has no output yet",
                    "its output is known in `undo`, `retry` and later tasks",
                );
            }
            (Own::Attempt | Own::Output, Some("error")) => {
                self.error(site);
            }
            (Own::Attempt | Own::Output, Some(member)) => {
                self.member("`self`", member, OF_SELF, site);
            }
            (Own::Attempt | Own::Output, None) => {}
        }
    }

    fn each(&self, site: &mut Site<'_>) {
        if !self.is_in_container(site.sight) {
            return site
                .meaningless("`each` means nothing outside of a `for-each`", "give the task a `for-each`");
        }
        if let Some(member) = first_key(&site.path.steps) {
            self.member("`each`", member, OF_EACH, site);
        }
    }

    fn is_in_container(&self, sight: &Sight) -> bool {
        sight.branch.is_some_and(|scope| self.cx.outline.scope(scope).container.is_some())
    }

    fn matrix(&self, site: &mut Site<'_>) {
        let axes: Vec<&str> = self.axes(site.sight).collect();
        if axes.is_empty() {
            return site.meaningless(
                "`matrix` means nothing outside of a `matrix`",
                "in a `for-each` use `each.value`",
            );
        }
        if let Some(axis) = first_key(&site.path.steps) {
            self.member("the matrix", axis, &axes, site);
        }
    }

    /// The axes of all matrices around.
    fn axes(&self, sight: &Sight) -> impl Iterator<Item = &'d str> {
        let outline = self.cx.outline;
        let containers = sight.branch.into_iter().flat_map(|scope| outline.containers(scope));
        containers.flat_map(|task| {
            match &outline.task(task).node.kind {
                Kind::Each(each) => axes_of(each),
                _ => &[],
            }
            .iter()
            .map(|(name, _)| name.as_str())
        })
    }

    fn run(&self, site: &mut Site<'_>) {
        if site.sight.tasks == (Tasks::None { run: false }) {
            return site.meaningless("there is no run yet", "name an input instead");
        }
        match first_key(&site.path.steps) {
            Some("error") => {
                self.error(site);
            }
            Some(member) => {
                self.member("`run`", member, OF_RUNS, site);
            }
            None => {}
        }
    }

    fn task(&mut self, name: &str, site: &mut Site<'_>) {
        let (scope, reader) = match site.sight.tasks {
            Tasks::None { .. } => {
                return site.meaningless(
                    &format!("`{name}` is not known here: no task has run by then"),
                    "name an input instead",
                );
            }
            Tasks::All => (0, None),
            Tasks::From { scope, position, task } => (scope, Some((position, task))),
        };
        let Some(target) = self.resolve(scope, name) else { return self.unknown_task(name, site) };
        let ok = match first_key(&site.path.steps) {
            Some("error") => self.error(site),
            Some(member) => self.member(&format!("task `{name}`"), member, OF_TASKS, site),
            None => true,
        };
        if let (true, Some((position, task))) = (ok, reader) {
            self.order(target, position, task, site);
        }
    }

    /// The task that a name means from a scope, as a run finds it: here, around, or inside of a loop.
    fn resolve(&self, scope: u32, name: &str) -> Option<u32> {
        let outline = self.cx.outline;
        let visible = outline.around(scope).find_map(|scope| outline.named(scope, name));
        visible.or_else(|| {
            let inside_loop = |scope: &u32| {
                let mut containers = outline.containers(*scope);
                containers.all(|task| matches!(outline.task(task).node.kind, Kind::Loop(_)))
            };
            let bodies = 1..outline.scopes.len() as u32;
            bodies
                .filter(|body| outline.named(*body, name).is_some())
                .find(inside_loop)
                .and_then(|body| outline.named(body, name))
        })
    }

    fn unknown_task(&self, name: &str, site: &mut Site<'_>) {
        let outline = self.cx.outline;
        let inside = (1..outline.scopes.len() as u32).find(|&body| outline.named(body, name).is_some());
        let message = format!("`{name}` is no task, and nothing else that is known");
        if let Some(container) = inside.and_then(|body| outline.scope(body).container) {
            let container = &outline.task(container).node.name;
            let message = format!("`{name}` is inside of `{container}`, where each branch has its own");
            let hint = format!("`{container}.output` is the list of what the branches yield");
            return site.fault(codes::UNKNOWN_NAME, message, "in every branch").tell(Some(hint));
        }
        let scope = match site.sight.tasks {
            Tasks::From { scope, .. } => scope,
            Tasks::None { .. } | Tasks::All => 0,
        };
        let tasks = outline.around(scope).flat_map(|scope| outline.tasks_of(scope));
        let names = tasks.map(|task| outline.task(task).node.name.as_str());
        let hint = match self.suggest.near(name, HEADS.iter().copied().chain(names)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are the names of tasks, {}", HEADS.join(", ")),
        };
        let mut draft = site.fault(codes::UNKNOWN_NAME, message, "unknown name");
        // Only the name is wrong, as far as anybody knows.
        if let Some((start, end)) = &mut draft.fault.within {
            *end = (*end).min(*start + name.len() as u32);
        }
        draft.tell(Some(hint));
    }

    /// Whether what is asked of an error is there.
    fn error(&self, site: &mut Site<'_>) -> bool {
        match site.path.steps.get(1) {
            Some(Step::Key(member)) => self.member("an error", member, OF_ERRORS, site),
            Some(_) | None => true,
        }
    }

    fn member(&self, owner: &str, member: &str, known: &[&str], site: &mut Site<'_>) -> bool {
        if known.contains(&member) {
            return true;
        }
        let hint = match self.suggest.near(member, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known == OF_TASKS => {
                format!("what a task yields is under `output`: `{}.output.{member}`", site.path.head)
            }
            None => format!("it has {}", known.join(", ")),
        };
        site.fault(codes::UNKNOWN_MEMBER, format!("{owner} has no `{member}`"), "unknown").tell(Some(hint));
        false
    }

    /// Notes a reference to `target`, if it is not clear that it has ended when `reader` begins.
    fn order(&mut self, target: u32, position: u32, reader: u32, site: &mut Site<'_>) {
        let outline = self.cx.outline;
        let Some(order) = self.cx.order else { return };
        let question = (outline.task(target).end, position);
        if target == reader && position == reader {
            let name = &outline.task(target).node.name;
            let message = format!("task `{name}` uses itself");
            return site.fault(codes::OWN_NAME, message, "the task itself").tell(Some(
                "in `undo` and `retry`, `self` is the task itself; before it runs, it has nothing to give"
                    .to_owned(),
            ));
        }
        // A loop shows what its earlier iterations have left.
        let around = outline.containers(outline.task(reader).scope).any(|container| container == target);
        if around && matches!(outline.task(target).node.kind, Kind::Loop(_)) {
            return;
        }
        if !order.is_next(question) {
            let within = site.within();
            let place = (site.place)();
            self.doubts.push(Doubt { question, target, reader, place, within, part: site.sight.part });
        }
    }

    /// Whether a path is there whatever happens.
    pub fn is_never_null(&self, path: &Path, sight: &Sight) -> bool {
        let [Step::Key(member)] = &*path.steps else { return false };
        match &*path.head {
            "inputs" => self
                .inputs
                .get(&**member)
                .is_some_and(|input| input.default.as_ref().is_none_or(|default| !default.is_null())),
            "self" => matches!(&**member, "attempt" | "path" | "attempts" | "iteration"),
            "each" => true,
            "matrix" => true,
            "run" => matches!(&**member, "id" | "number" | "name" | "started"),
            "env" => true,
            _task => matches!(&**member, "attempts" | "iteration") && sight.tasks != Tasks::All,
        }
    }

    /// Answers what was left open.
    pub fn settle(self, found: &mut Found) {
        let Some(order) = self.cx.order else { return };
        let questions: Vec<Question> = self.doubts.iter().map(|doubt| doubt.question).collect();
        let answers = order.are_before(&questions);
        let open: Vec<&Doubt> = self
            .doubts
            .iter()
            .zip(answers)
            .filter(|(_, is_before)| !is_before)
            .map(|(doubt, _)| doubt)
            .collect();
        let outline = self.cx.outline;
        let reversed: Vec<Question> =
            open.iter().map(|doubt| (outline.task(doubt.reader).end, doubt.target)).collect();
        for (doubt, comes_after) in open.iter().zip(order.are_before(&reversed)) {
            found.add(doubt.part, doubt.fault(outline, comes_after));
        }
    }
}

impl Doubt {
    fn fault(&self, outline: &Outline<'_>, comes_after: bool) -> Fault {
        let name = |task: u32| outline.task(task).node.name.as_str();
        let (target, reader) = (name(self.target), name(self.reader));
        let scope = outline.task(self.target).scope;
        let chain = std::iter::once(self.reader).chain(outline.containers(outline.task(self.reader).scope));
        // Only tasks of one scope can wait for each other.
        let waiting = chain.into_iter().find(|&task| outline.task(task).scope == scope);
        let (message, hint) = match waiting {
            Some(same) if same == self.target => (
                format!("task `{reader}` uses `{target}`, which is around it and has not ended"),
                "name a task before it instead".to_owned(),
            ),
            _ if comes_after => (
                format!("task `{reader}` uses `{target}`, which comes after it"),
                format!("turn their order round, or take `{target}` out of the expression"),
            ),
            Some(waiting) => (
                format!("task `{reader}` uses `{target}`, but does not wait for it"),
                format!("add `{target}` to the `needs` of `{}`", name(waiting)),
            ),
            None => (
                format!("task `{reader}` uses `{target}`, but does not wait for it"),
                format!("let `{reader}` wait for the task around `{target}`"),
            ),
        };
        let mut fault = Fault::error(codes::NOT_ORDERED, self.place.clone(), message)
            .label("may not have ended")
            .hint(hint);
        fault.within = self.within;
        fault
    }
}

/// A path, and where it stands.
struct Site<'s> {
    path: &'s Path,
    text: &'s str,
    place: &'s dyn Fn() -> Place,
    sight: &'s Sight,
    found: &'s mut Found,
}

/// A fault on its way.
struct Draft<'s, 'f> {
    fault: Fault,
    site: &'f mut Site<'s>,
}

impl<'s> Site<'s> {
    /// The bytes of the path, if the text is as it was written.
    fn within(&self) -> Option<(u32, u32)> {
        (self.sight.offsets && self.text.len() >= self.path.at.end as usize)
            .then_some((self.path.at.start, self.path.at.end))
    }

    fn fault<'f>(&'f mut self, code: &'static str, message: String, label: &str) -> Draft<'s, 'f> {
        let mut fault = Fault::error(code, (self.place)(), message).label(label);
        fault.within = self.within();
        Draft { fault, site: self }
    }

    fn meaningless(&mut self, message: &str, hint: &str) {
        self.fault(codes::NO_MEANING, message.to_owned(), "no meaning here").tell(Some(hint.to_owned()));
    }
}

impl Draft<'_, '_> {
    fn tell(mut self, hint: Option<String>) {
        self.fault.hint = hint;
        self.site.found.add(self.site.sight.part, self.fault);
    }
}

fn axes_of(each: &Each) -> &[(String, partitur_model::definition::TemplateTree)] {
    match &each.items {
        Items::List(_) => &[],
        Items::Matrix(axes) => axes,
    }
}

fn first_key(steps: &[Step]) -> Option<&str> {
    match steps.first()? {
        Step::Key(key) => Some(key),
        _ => None,
    }
}
