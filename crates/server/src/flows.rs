//! Native documents as runs of a server execute them: read, with everything that is wrong with them, and compiled.
//!
//! What a document may not want here is one of its faults. Commands claim places, of which the server has a few: admission
//! lets no more of them live at once. Nothing is larger than others can bear.

use std::sync::Arc;

use partitur_engine::{Program, check, compile, find_resources};
use partitur_formats::{Places, codes, definition_record, read, read_record};
use partitur_model::definition::{
    Claim, ClaimMode, Definition, Kind, Node, ResourceSpec, Scope, Template, WaitFor,
};
use partitur_model::record::DefinitionRecord;
use partitur_model::{Fault, Place, Severity};
use schemars::JsonSchema;
use serde::Serialize;

/// Commands are not allowed.
const NO_COMMANDS: &str = "P0143";
/// There are no secrets to give.
const NO_SECRETS: &str = "P0144";

/// A document has no more tasks, sub-flows included.
const TASKS_MAX: usize = 20_000;

/// A `for-each` has no more branches: they begin in one step, and others wait meanwhile.
const BRANCHES_MAX: u32 = 20_000;

/// The resource whose units are places for commands.
const COMMANDS: &str = "server-commands";

/// What documents may want here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// So many commands live at once; none is ever started if `None`.
    pub commands: Option<u32>,
}

/// A document that may run.
#[derive(Debug)]
pub(crate) struct Flow {
    /// Its sources, as they are stored.
    pub record: Arc<DefinitionRecord>,
    /// What the engine executes.
    pub program: Arc<Program>,
    /// What its author should know.
    pub warnings: Vec<Told>,
}

/// A fault, as programs read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Told {
    /// Stable, as in `P0107`.
    pub code: &'static str,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where, as in `tasks.report.needs[0]`.
    pub place: String,
    /// In which file.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
}

/// Reads, checks and compiles a document; `resolve` knows the texts of sub-flows.
///
/// # Errors
/// Every fault of the document at once.
pub(crate) fn read_flow(
    file: &str,
    text: &str,
    resolve: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
    allowed: Allowed,
) -> Result<Flow, Vec<Told>> {
    let mut document =
        read(file, text.as_bytes(), resolve).map_err(|wrong| told(&wrong.faults, &wrong.places))?;
    let mut faults = document.warnings.clone();
    faults.extend(find_resources(&mut document.definition).err().unwrap_or_default());
    faults.extend(check(&document.definition));
    faults.extend(refusals(&document.definition, allowed));
    let compiled = compile(&placed(&document.definition, allowed));
    if let Err(more) = &compiled {
        faults.extend(more.iter().filter(|fault| !faults.contains(fault)).cloned().collect::<Vec<_>>());
    }
    let is_sound = faults.iter().all(|fault| fault.severity != Severity::Error);
    let faults = told(&faults, &document.places);
    match compiled {
        Ok(program) if is_sound => {
            Ok(Flow { record: Arc::new(definition_record(&document)), program, warnings: faults })
        }
        Ok(_) | Err(_) => Err(faults),
    }
}

/// What a stored document comes to.
///
/// # Errors
/// What is wrong with it, for people.
pub(crate) fn recall(record: &DefinitionRecord, allowed: Allowed) -> Result<Arc<Program>, String> {
    let messages = |faults: Vec<Fault>| {
        faults.into_iter().map(|fault| fault.message).collect::<Vec<String>>().join("; ")
    };
    let mut document = read_record(record).map_err(|wrong| messages(wrong.faults))?;
    find_resources(&mut document.definition).map_err(messages)?;
    compile(&placed(&document.definition, allowed)).map_err(messages)
}

fn told(faults: &[Fault], places: &Places) -> Vec<Told> {
    let told = |fault: &Fault| {
        let at = places.locate_fault(fault);
        Told {
            code: fault.code,
            severity: match fault.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            message: fault.message.clone(),
            hint: fault.hint.clone(),
            place: fault.place.to_string(),
            file: at.map_or_else(String::new, |at| places.path(at.file).to_owned()),
            line: at.map_or(0, |at| at.line),
            column: at.map_or(0, |at| at.column),
        }
    };
    faults.iter().map(told).collect()
}

/// What the document wants and may not have here.
fn refusals(definition: &Definition, allowed: Allowed) -> Vec<Fault> {
    let mut faults = Vec::from_iter(too_large(definition));
    for definition in std::iter::once(definition).chain(definition.flows.values().map(|flow| &**flow)) {
        if allowed.commands.is_none() {
            visit(&definition.root, &mut |node| faults.extend(wants_machine(node)));
        }
        if !definition.secrets.is_empty() {
            let message = "this server has no secrets to give to tasks";
            let fault = Fault::error(NO_SECRETS, Place::root().member("secrets"), message);
            faults.push(fault.label("not known here").hint("run the document with `partitur run`"));
        }
    }
    faults
}

/// A document that takes the server too long for what others want.
fn too_large(definition: &Definition) -> Option<Fault> {
    let mut count = 0;
    visit(&definition.root, &mut |_| count += 1);
    definition.flows.values().for_each(|flow| visit(&flow.root, &mut |_| count += 1));
    let message = format!("there are {count} tasks; a server takes {TASKS_MAX}");
    (count > TASKS_MAX).then(|| Fault::error(codes::BUDGET, Place::root().member("tasks"), message))
}

/// A task that would be executed on the machine of the server.
fn wants_machine(node: &Node) -> Option<Fault> {
    let (key, what) = match (&node.kind, &node.undo) {
        (Kind::Command(_), _) => ("run", "a command"),
        (Kind::Wait(wait), _) if matches!(wait.what, WaitFor::File(_)) => ("wait", "a wait for a file"),
        (_, Some(undo)) if matches!(undo.kind, Kind::Command(_)) => ("undo", "a command"),
        _ => return None,
    };
    let message = format!("task `{}` is {what}, and this server executes nothing on its machine", node.name);
    let hint = "whoever starts the server allows it with `--set commands_dir=DIRECTORY`; `http` tasks need no permission";
    Some(Fault::error(NO_COMMANDS, node.place.member(key), message).label("not allowed here").hint(hint))
}

fn visit(scope: &Scope, see: &mut dyn FnMut(&Node)) {
    for node in &scope.nodes {
        see(node);
        if let Some(body) = node.kind.body() {
            visit(body, see);
        }
    }
}

/// The definition as the server executes it: bounded, and each command claims a place.
fn placed(definition: &Definition, allowed: Allowed) -> Arc<Definition> {
    let mut placed = definition.clone();
    bound(&mut placed, allowed);
    for flow in placed.flows.values_mut() {
        bound(Arc::make_mut(flow), allowed);
    }
    if let Some(units) = allowed.commands {
        placed.resources.retain(|resource| resource.name != COMMANDS);
        placed.resources.push(ResourceSpec { name: COMMANDS.to_owned(), units, place: Place::root() });
    }
    Arc::new(placed)
}

fn bound(definition: &mut Definition, allowed: Allowed) {
    definition.branches_max = Some(BRANCHES_MAX);
    if allowed.commands.is_some() {
        claim_places(&mut definition.root);
    }
}

fn claim_places(scope: &mut Scope) {
    for node in &mut scope.nodes {
        let undoes = node.undo.as_ref().is_some_and(|undo| matches!(undo.kind, Kind::Command(_)));
        // Those that need a service would wait for its place.
        if undoes || matches!(&node.kind, Kind::Command(command) if command.service.is_none()) {
            node.claims.push(Claim {
                resource: Template(COMMANDS.to_owned()),
                mode: ClaimMode::Exclusive,
                units: 1,
                expires: None,
                place: node.place.clone(),
            });
        }
        match &mut node.kind {
            Kind::Each(each) => claim_places(&mut each.body),
            Kind::Loop(repeat) => claim_places(&mut repeat.body),
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
            | Kind::Noop => {}
        }
    }
}
