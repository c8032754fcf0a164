//! What is wrong with a definition, all of it at once, before anything runs.
//!
//! [`check`] looks at structure (names, cycles, tasks that never run), at every template and expression (what it names,
//! and whether that has ended by then), at figures, at resources, and at who gets in whose way. A definition in which
//! it finds no error compiles.
//!
//! Not here: syntax of documents (`formats`), what a run is given (`submission.rs`).
//! Begin with [`check`]; `outline.rs` is the form in which all parts see the tasks.

pub(crate) mod codes;
mod expressions;
mod figures;
mod names;
mod order;
mod outline;
mod races;
mod resources;
mod structure;
mod suggest;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use partitur_model::definition::Definition;
use partitur_model::{Fault, Place};

pub use codes::ALL as CHECK_CODES;

use order::Order;
use outline::Outline;

/// Everything that is wrong with a definition and its sub-flows: file by file, each in the order of its text as far as
/// that is known here. Only errors keep it from running.
pub fn check(definition: &Definition) -> Vec<Fault> {
    let mut faults = check_file(definition, definition, "");
    let mut flows = BTreeMap::new();
    collect_flows(definition, &mut flows);
    for (name, flow) in flows {
        faults.extend(check_file(flow, definition, name));
    }
    faults
}

/// Every flow once, by its name.
fn collect_flows<'d>(definition: &'d Definition, flows: &mut BTreeMap<&'d str, &'d Arc<Definition>>) {
    for (name, flow) in &definition.flows {
        if flows.insert(name, flow).is_none() {
            collect_flows(flow, flows);
        }
    }
}

fn check_file(definition: &Definition, main: &Definition, prefix: &str) -> Vec<Fault> {
    let outline = Outline::of(definition);
    let order = Order::of(&outline);
    let cx = Cx { definition, main, prefix, outline: &outline, order: order.as_ref() };
    let mut found = Found::default();
    structure::check(&cx, &mut found);
    expressions::check(&cx, &mut found);
    figures::check(&cx, &mut found);
    resources::check(&cx, &mut found);
    races::check(&cx, &mut found);
    found.sorted()
}

/// The file at hand.
struct Cx<'d> {
    definition: &'d Definition,
    /// The document to which it belongs.
    main: &'d Definition,
    /// The name of the sub-flow, which its places begin with; nothing in the main file.
    prefix: &'d str,
    outline: &'d Outline<'d>,
    /// Who is before whom; nobody knows in a graph with cycles.
    order: Option<&'d Order>,
}

impl<'d> Cx<'d> {
    /// The place of a key at the top of the file.
    fn top(&self, key: &str) -> Place {
        if self.prefix.is_empty() { Place(key.to_owned()) } else { Place(format!("{}#{key}", self.prefix)) }
    }

    /// The flow that a task of this file names.
    fn flow(&self, name: &str) -> Option<&'d Definition> {
        let flow = self.definition.flows.get(name).or_else(|| self.main.flows.get(name));
        flow.map(|flow| &**flow)
    }
}

/// Which part of a document a fault belongs to, in the order of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// What is declared before the tasks.
    Head,
    /// The task of this rank.
    Task(u32),
    /// What comes after the tasks.
    Tail,
}

/// The faults found so far.
#[derive(Default)]
struct Found {
    faults: Vec<(Part, Fault)>,
}

impl Found {
    fn add(&mut self, part: Part, fault: Fault) {
        self.faults.push((part, fault));
    }

    fn sorted(mut self) -> Vec<Fault> {
        self.faults.sort_by(|(part, fault), (other_part, other)| {
            let place = || natural(&fault.place.0, &other.place.0);
            part.cmp(other_part).then_with(place).then_with(|| fault.within.cmp(&other.within))
        });
        self.faults.into_iter().map(|(_, fault)| fault).collect()
    }
}

/// As text, but numbers by their value: `needs[2]` comes before `needs[10]`.
fn natural(a: &str, b: &str) -> Ordering {
    let key = |text: &str| -> Vec<(usize, String)> {
        let parts = text.split(['[', ']']);
        parts.map(|part| (part.parse::<usize>().unwrap_or(0), part.to_owned())).collect()
    };
    if a == b { Ordering::Equal } else { key(a).cmp(&key(b)) }
}
