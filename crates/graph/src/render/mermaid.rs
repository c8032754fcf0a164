//! As Mermaid, for Markdown. Containers are sub-graphs.

use super::shorten::printable;
use super::{Form, Item, Picture, State, Step};

/// The picture in the language of Mermaid.
pub fn mermaid(picture: &Picture) -> String {
    let mut out = String::from("flowchart LR\n");
    for step in picture.outline() {
        match step {
            Step::Leaf(number, depth) => {
                out += &format!("{}{}\n", indent(depth), node(number, &picture.items[number as usize]));
            }
            Step::Open(number, depth) => {
                let label = label(&picture.items[number as usize]);
                out += &format!("{}subgraph n{number}[\"{label}\"]\n", indent(depth));
            }
            Step::Close(depth) => out += &format!("{}end\n", indent(depth)),
        }
    }
    for link in &picture.links {
        let arrow = match (link.label.as_str(), link.critical) {
            ("", false) => "-->".to_owned(),
            ("", true) => "==>".to_owned(),
            (label, false) => format!("-.->|\"{}\"|", escaped(label)),
            (label, true) => format!("==>|\"{}\"|", escaped(label)),
        };
        out += &format!("  n{} {arrow} n{}\n", link.from, link.to);
    }
    out + &classes(picture)
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth + 1)
}

fn node(number: u32, item: &Item) -> String {
    let label = label(item);
    match item.form {
        Form::Task | Form::Container => format!("n{number}[\"{label}\"]"),
        Form::Choice => format!("n{number}{{\"{label}\"}}"),
        Form::Meeting => format!("n{number}([\"{label}\"])"),
    }
}

fn label(item: &Item) -> String {
    let glyph = item.state.map_or(String::new(), |state| format!("{} ", state.look().glyph));
    let detail =
        if item.detail.is_empty() { String::new() } else { format!("<br/>{}", escaped(&item.detail)) };
    format!("{glyph}{}{detail}", escaped(&item.name))
}

/// Text without anything that Mermaid, Markdown or HTML would read: all signs but the harmless are given by number.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    let mut begins = true;
    for c in printable(text).chars() {
        let was_beginning = begins;
        begins &= c.is_ascii_digit() || c == ' ';
        match c {
            // At the beginning, these would make a list.
            '-' | '.' | ')' if was_beginning => out += &format!("#{};", c as u32),
            ' ' | '-' | '.' | ',' | ':' | '/' | '_' | '(' | ')' | '=' | '~' => out.push(c),
            c if c.is_alphanumeric() || !c.is_ascii() => out.push(c),
            c => out += &format!("#{};", c as u32),
        }
    }
    out
}

/// The looks of the states, and of the critical path.
fn classes(picture: &Picture) -> String {
    let list = |wanted: &dyn Fn(&Item) -> bool| {
        let found = (0u32..).zip(&picture.items).filter(|(_, item)| wanted(item));
        found.map(|(number, _)| format!("n{number}")).collect::<Vec<_>>().join(",")
    };
    let mut out = String::new();
    for state in State::ALL {
        let members = list(&|item| item.state == Some(state));
        if !members.is_empty() {
            let look = state.look();
            let dash =
                if look.dash.is_empty() { String::new() } else { format!(",stroke-dasharray:{}", look.dash) };
            let name = format!("s{}", state as u8);
            out += &format!("  classDef {name} fill:{},stroke:{}{dash}\n", look.fill, look.stroke);
            out += &format!("  class {members} {name}\n");
        }
    }
    let critical = list(&|item| item.critical);
    if !critical.is_empty() {
        out += "  classDef critical stroke:#b4533a,stroke-width:3px\n";
        out += &format!("  class {critical} critical\n");
    }
    out
}
