//! What is wrong with definitions, as people read it.

mod document;
mod structure;
mod words;

use partitur_model::Severity;
use partitur_model::definition::Definition;

/// All faults, one after the other: code, place, part of the text, message, label, hint.
fn told(definition: &Definition) -> String {
    let mut text = String::new();
    for fault in partitur_engine::check(definition) {
        let severity = match fault.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let within = fault.within.map_or(String::new(), |(start, end)| format!(" {start}..{end}"));
        text += &format!("{severity}[{}] {}{within}: {}\n", fault.code, fault.place, fault.message);
        text += &format!("  ^ {}\n", fault.label);
        text += &fault.hint.map_or(String::new(), |hint| format!("  hint: {hint}\n"));
    }
    text
}
