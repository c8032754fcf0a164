//! What would run when, how long it should take, and what is not known beforehand: `partitur run --dry-run`, and with
//! all that follows from it (`study`) `partitur plan`.

mod foretold;
mod paper;
mod study;
mod told;
mod unfold;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use partitur::host::Fate;
use partitur_expr::{Lookup, Step, Template, Tree, navigate};
use partitur_model::Payload;
use partitur_model::definition::{ClaimMode, Definition, Each, FoundClaim, Items, Kind, Node};
use partitur_report::short;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::open_reader;
use crate::shape::{Expected, Shape};
pub use paper::Paper;
use study::{Study, is_instant};
use unfold::Unfolded;

/// Of a longer list, so many parts are named.
const PARTS_SHOWN: usize = 8;

/// What is planned for whom.
pub struct Wanted<'a> {
    /// What would run.
    pub definition: &'a Definition,
    /// Only these tasks and what they need.
    pub targets: &'a [String],
    /// What it is given.
    pub input: &'a Payload,
    /// Where the durations of earlier runs are.
    pub state: &'a Path,
    /// So many tasks at once.
    pub at_once: u32,
    /// For programs.
    pub as_json: bool,
}

/// Shows the plan of a run, in short; with what would become of each task, if that is given.
///
/// # Errors
/// The store's: expected durations come from there.
pub fn show(wanted: &Wanted<'_>, fates: Option<&[(Arc<str>, Fate)]>) -> Result<Exit, Failure> {
    let shape = wanted.shape();
    let history = wanted.history()?;
    let unfolded = Unfolded::of(wanted.definition, &shape, wanted.input, &history);
    let plan = Plan::of(wanted, &shape, &unfolded, &history, Depth::Waves);
    let foretold = fates.map(|fates| foretold::foretold(&shape, fates));
    if wanted.as_json {
        let mut told = plan.json();
        if let Some(foretold) = &foretold {
            told["decisions"] = foretold::json(foretold);
        }
        put(&format!("{told}\n"));
    } else {
        put(&plan.text());
        put(&foretold.as_deref().map(foretold::text).unwrap_or_default());
    }
    Ok(Exit::Success)
}

/// Shows the plan and what follows from it; `machines` may share the work.
///
/// # Errors
/// As [`show`].
pub fn show_study(wanted: &Wanted<'_>, machines: Option<u32>) -> Result<Exit, Failure> {
    let shape = wanted.shape();
    let history = wanted.history()?;
    let unfolded = Unfolded::of(wanted.definition, &shape, wanted.input, &history);
    let plan = Plan::of(wanted, &shape, &unfolded, &history, Depth::Study);
    let shape = Shape::of(&unfolded.definition, &[]);
    let splits = match (&plan.study, machines) {
        (Some(study), Some(machines)) => study.splits(&shape, machines, wanted.at_once),
        (None, _) | (_, None) => Vec::new(),
    };
    if wanted.as_json {
        put(&format!("{}\n", plan.study_json(&shape, &splits)));
    } else {
        put(&format!("{}{}", plan.text(), plan.study_text(&shape, &splits)));
    }
    Ok(Exit::Success)
}

/// Writes to standard output. Whoever has closed the other end does not want to read it.
pub fn put(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// How much is told of each task.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// When it runs.
    Waves,
    /// Also how much it may be late.
    Study,
}

impl<'a> Wanted<'a> {
    fn shape(&self) -> Shape<'a> {
        Shape::of(self.definition, self.targets)
    }

    fn history(&self) -> Result<BTreeMap<String, Duration>, Failure> {
        Ok(match open_reader(self.state)? {
            Some(reader) => reader.durations(&self.definition.name)?,
            None => BTreeMap::new(),
        })
    }
}

/// How long each task should take; what the engine does by itself takes no time.
pub fn expected(shape: &Shape<'_>, history: &BTreeMap<String, Duration>) -> Vec<Expected> {
    let mut expected = shape.expected(history);
    for (expected, node) in expected.iter_mut().zip(&shape.nodes) {
        if is_service(node) {
            // Others wait until it is up, and not for its end.
            *expected = Expected::Estimate(node.expected.unwrap_or_default());
        }
        // Of a point before or after parts, history knows how long these took.
        if matches!(node.kind, Kind::Noop) || (*expected == Expected::Unknown && is_instant(node)) {
            *expected = Expected::Estimate(Duration::ZERO);
        }
    }
    expected
}

fn is_service(node: &Node) -> bool {
    matches!(&node.kind, Kind::Command(command) if command.service.is_some())
}

/// What rules have found, a line for each claim.
pub fn found_lines(found: &[FoundClaim]) -> Vec<String> {
    let task = |place: &str| place.trim_start_matches("tasks.").to_owned();
    found
        .iter()
        .map(|found| format!("{} locks {} (rule `{}`)", task(&found.task.0), found.resource, found.rule))
        .collect()
}

/// The same for programs.
pub fn found_json(found: &[FoundClaim]) -> Value {
    let told =
        |found: &FoundClaim| json!({"place": found.task.0, "resource": found.resource, "rule": found.rule});
    found.iter().map(told).collect()
}

/// What would run.
struct Plan {
    name: String,
    waves: Vec<Vec<Entry>>,
    at_once: u32,
    study: Option<Study>,
    /// Tasks of which nobody knows how long they take, and all tasks: parts count, and what they are parts of does not.
    unknown: usize,
    counted: usize,
    /// What had to be assumed of lists and loops.
    assumed: Vec<String>,
    /// What rules have found, instead of the document saying it.
    found: Vec<FoundClaim>,
}

/// A task of the plan.
struct Entry {
    name: String,
    needs: Vec<String>,
    locks: Vec<String>,
    expected: Expected,
    parts: Option<Parts>,
    cached: bool,
    /// It lives as long as others need it.
    service: bool,
    condition: Option<String>,
    /// How much later it may end without anything ending later, if that is told.
    slack: Option<Duration>,
}

/// What a task unfolds into.
enum Parts {
    /// These.
    Known(Vec<String>),
    /// As many as a list has that is not there yet.
    Later,
}

impl Plan {
    fn of(
        wanted: &Wanted<'_>,
        shape: &Shape<'_>,
        unfolded: &Unfolded,
        history: &BTreeMap<String, Duration>,
        depth: Depth,
    ) -> Plan {
        let wide = Shape::of(&unfolded.definition, &[]);
        let of_parts = self::expected(&wide, history);
        let durations = of_parts.iter().map(|expected| expected.duration().as_millis() as u64).collect();
        let study = Study::of(unfolded, &wide, durations, wanted.input, wanted.at_once);
        let expected = expected(shape, history);
        let before = shape.csr.reversed();
        let entry = |&at: &u32| {
            let node = shape.nodes[at as usize];
            let needs = before.successors(at).iter().map(|&from| shape.nodes[from as usize].name.clone());
            let slack = study.as_ref().filter(|_| depth == Depth::Study);
            Entry {
                slack: slack.map(|study| Duration::from_millis(study.slack_of(unfolded, at))),
                ..Entry::of(node, needs.collect(), expected[at as usize], wanted.input)
            }
        };
        let waves = shape.waves();
        let waves = waves.iter().flat_map(|waves| waves.iter().map(|wave| wave.iter().map(entry).collect()));
        let waves = waves.collect();
        let known = |expected: &&Expected| match expected {
            Expected::History(_) | Expected::Estimate(_) => false,
            Expected::Unknown => true,
        };
        Plan {
            name: wanted.definition.name.clone(),
            waves,
            at_once: wanted.at_once,
            unknown: of_parts.iter().filter(known).count(),
            counted: unfolded.count(),
            assumed: unfolded.assumed.clone(),
            study,
            found: wanted.definition.found.clone(),
        }
    }

    fn makespan(&self) -> Option<Duration> {
        self.study.as_ref().map(|study| Duration::from_millis(study.makespan))
    }

    fn tasks(&self) -> usize {
        self.waves.iter().map(Vec::len).sum()
    }

    fn text(&self) -> String {
        let (tasks, waves) = (self.tasks(), self.waves.len());
        let with_parts = if self.counted > tasks {
            format!(" ({} with their parts)", self.counted)
        } else {
            String::new()
        };
        let mut text = format!(
            "{}: {tasks} {}{with_parts} in {waves} {}, {} at once\n",
            self.name,
            if tasks == 1 { "task" } else { "tasks" },
            if waves == 1 { "wave" } else { "waves" },
            self.at_once
        );
        let width = self.waves.iter().flatten().map(|entry| entry.name.chars().count()).max().unwrap_or(0);
        for (number, wave) in (1..).zip(&self.waves) {
            text += &format!("\nwave {number}\n");
            for entry in wave {
                text += &entry.text(width);
            }
        }
        if !self.found.is_empty() {
            text += "\nfound by rules\n";
            text.extend(found_lines(&self.found).iter().map(|line| format!("  {line}\n")));
        }
        text += &format!("\n{}\n", self.expectation());
        text.extend(self.assumed.iter().map(|assumed| format!("assumed: {assumed}\n")));
        if self.waves.iter().flatten().any(|entry| entry.cached) {
            text += "whether a result comes from the cache is known only when its task is ready\n";
        }
        text
    }

    fn expectation(&self) -> String {
        let Some(makespan) = self.makespan() else { return "nothing to do".to_owned() };
        let takes = format!("expected to take {} with {} at once", short(makespan), self.at_once);
        match self.unknown {
            0 => takes,
            unknown if unknown == self.counted => {
                "how long it takes is not known: none of its tasks has run before".to_owned()
            }
            unknown => format!("{takes}, if each of the {unknown} unknown tasks takes 1.0s"),
        }
    }

    fn json(&self) -> Value {
        let waves: Vec<Vec<Value>> =
            self.waves.iter().map(|wave| wave.iter().map(Entry::json).collect()).collect();
        json!({
            "name": self.name,
            "concurrency": self.at_once,
            "tasks": self.tasks(),
            "tasks_with_parts": self.counted,
            "assumed": self.assumed,
            "waves": waves,
            "makespan_ms": self.makespan().map(|time| time.as_millis() as u64),
            "unknown": self.unknown,
            "found": found_json(&self.found),
        })
    }
}

impl Entry {
    fn of(node: &Node, needs: Vec<String>, expected: Expected, input: &Payload) -> Entry {
        let parts = match &node.kind {
            Kind::Each(each) => Some(parts(&node.name, each, input)),
            Kind::Loop(_) => Some(Parts::Later),
            Kind::Command(_)
            | Kind::Http(_)
            | Kind::Remote(_)
            | Kind::Wait(_)
            | Kind::Evaluate(_)
            | Kind::SubRun(_)
            | Kind::Start(_)
            | Kind::Expand(_)
            | Kind::Switch(_)
            | Kind::Join(_)
            | Kind::Terminate(_)
            | Kind::SetVariables(_)
            | Kind::Noop => None,
        };
        Entry {
            name: node.name.clone(),
            needs,
            locks: own_and_inner(node).flat_map(|node| locks(node, input)).collect(),
            expected,
            parts,
            cached: own_and_inner(node).any(|node| node.cache.is_some()),
            service: is_service(node),
            condition: node.when.as_ref().map(|when| when.condition.0.clone()),
            slack: None,
        }
    }

    fn text(&self, width: usize) -> String {
        let time = match self.expected {
            Expected::History(time) => short(time),
            Expected::Estimate(time) => format!("~{}", short(time)),
            Expected::Unknown => "?".to_owned(),
        };
        let mut line = format!("  {:<width$}  {time:>7}", self.name);
        if !self.needs.is_empty() {
            line += &format!("  after {}", listed(&self.needs));
        }
        if !self.locks.is_empty() {
            line += &format!("  locks {}", listed(&self.locks));
        }
        if let Some(condition) = &self.condition {
            line += &format!("  when {condition}");
        }
        if self.service {
            line += "  service";
        }
        if self.cached {
            line += "  cached?";
        }
        match self.slack {
            Some(Duration::ZERO) => line += "  critical",
            Some(slack) => line += &format!("  slack {}", short(slack)),
            None => {}
        }
        line = line.trim_end().to_owned() + "\n";
        match &self.parts {
            Some(Parts::Known(parts)) => {
                line + &format!("  {:<width$}  {:>7}  is {}: {}\n", "", "", parts.len(), listed(parts))
            }
            Some(Parts::Later) => {
                line + &format!("  {:<width$}  {:>7}  is {}[…], as its list says\n", "", "", self.name)
            }
            None => line,
        }
    }

    fn json(&self) -> Value {
        let (expected_ms, source) = match self.expected {
            Expected::History(time) => (Some(time.as_millis() as u64), "history"),
            Expected::Estimate(time) => (Some(time.as_millis() as u64), "estimate"),
            Expected::Unknown => (None, "unknown"),
        };
        let mut told = json!({
            "task": self.name,
            "needs": self.needs,
            "locks": self.locks,
            "expected_ms": expected_ms,
            "expected_from": source,
            "when": self.condition,
            "cached": if self.cached { Value::from("unknown") } else { Value::from(false) },
            "parts": match &self.parts {
                Some(Parts::Known(parts)) => json!(parts),
                Some(Parts::Later) => json!([format!("{}[…]", self.name)]),
                None => Value::Null,
            },
        });
        if self.service {
            told["service"] = json!(true);
        }
        if let Some(slack) = self.slack {
            told["slack_ms"] = json!(slack.as_millis() as u64);
        }
        told
    }
}

/// A task, and of one that unfolds the tasks of its body.
fn own_and_inner(node: &Node) -> impl Iterator<Item = &Node> {
    let inner = node.kind.body().map_or(&[][..], |body| &body.nodes);
    std::iter::once(node).chain(inner)
}

/// `file:data/erp.db`, `api-quota ×2`, `dir:src (shared)`.
fn locks(node: &Node, input: &Payload) -> Vec<String> {
    let lock = |claim: &partitur_model::definition::Claim| {
        let name = filled(&claim.resource.0, input);
        let units = if claim.units > 1 { format!(" ×{}", claim.units) } else { String::new() };
        let shared = match claim.mode {
            ClaimMode::Exclusive => "",
            ClaimMode::Shared => " (shared)",
        };
        format!("{name}{units}{shared}")
    };
    node.claims.iter().map(lock).collect()
}

/// The text with the inputs filled in, if it names nothing else.
fn filled(text: &str, input: &Payload) -> String {
    match Template::parse(text) {
        Ok(template) if only_inputs(&template.paths(), template.has_open_head()) => {
            template.resolve_text(&Inputs(input))
        }
        Ok(_) | Err(_) => text.to_owned(),
    }
}

/// The elements of a list that is known before anything has run, a branch each.
fn elements(each: &Each, input: &Payload) -> Option<Vec<Payload>> {
    let known = |tree: &partitur_model::definition::TemplateTree| {
        let tree = Tree::parse(&tree.0).ok()?;
        let known = tree.is_constant() || only_inputs(&tree.paths(), tree.has_open_head());
        if known { tree.resolve(&Inputs(input)).elements() } else { None }
    };
    let elements = match &each.items {
        Items::List(list) => known(list),
        Items::Matrix(axes) => {
            let axes: Option<Vec<(String, Vec<Payload>)>> =
                axes.iter().map(|(axis, list)| Some((axis.clone(), known(list)?))).collect();
            axes.map(|axes| combinations(&axes))
        }
    };
    Some(match each.batch {
        Some(size) => {
            elements?.chunks(size.max(1) as usize).map(|part| Payload::list(part.to_vec())).collect()
        }
        None => elements?,
    })
}

/// The parts of a list that is known before anything has run.
fn parts(name: &str, each: &Each, input: &Payload) -> Parts {
    let Some(elements) = elements(each, input) else { return Parts::Later };
    let label = |(index, element): (usize, &Payload)| match &each.key {
        Some(key) => match Template::parse(&key.0) {
            Ok(key) => key.resolve_text(&Branch { input, element, index }),
            Err(_) => index.to_string(),
        },
        None => index.to_string(),
    };
    Parts::Known(elements.iter().enumerate().map(label).map(|key| format!("{name}[{key}]")).collect())
}

/// All combinations of the axes, the last axis fastest.
fn combinations(axes: &[(String, Vec<Payload>)]) -> Vec<Payload> {
    let mut rows: Vec<Vec<(String, Payload)>> = vec![Vec::new()];
    for (axis, values) in axes {
        let mut longer = Vec::new();
        for row in &rows {
            for value in values {
                longer.push(row.iter().cloned().chain([(axis.clone(), value.clone())]).collect());
            }
        }
        rows = longer;
    }
    rows.into_iter().map(Payload::object).collect()
}

fn only_inputs(paths: &[&partitur_expr::Path], open: bool) -> bool {
    !open && paths.iter().all(|path| &*path.head == "inputs")
}

/// Knows the inputs and nothing else.
struct Inputs<'a>(&'a Payload);

impl Lookup for Inputs<'_> {
    fn lookup(&self, head: &str, steps: &[Step]) -> Option<Payload> {
        if head == "inputs" { navigate(self.0, steps) } else { None }
    }
}

/// Knows the inputs and one element of a list.
struct Branch<'a> {
    input: &'a Payload,
    element: &'a Payload,
    index: usize,
}

impl Lookup for Branch<'_> {
    fn lookup(&self, head: &str, steps: &[Step]) -> Option<Payload> {
        let each = || {
            Payload::object([("value", self.element.clone()), ("index", Payload::from(self.index as u64))])
        };
        match head {
            "inputs" => navigate(self.input, steps),
            "each" => navigate(&each(), steps),
            "matrix" => navigate(self.element, steps),
            _ => None,
        }
    }
}

fn listed(names: &[String]) -> String {
    listed_with(names, ", ")
}

fn listed_with(names: &[String], between: &str) -> String {
    let shown = names.iter().take(PARTS_SHOWN).cloned().collect::<Vec<_>>().join(between);
    match names.len().checked_sub(PARTS_SHOWN) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        Some(_) | None => shown,
    }
}
