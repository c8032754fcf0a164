//! As DOT, for Graphviz. Containers are clusters in which their own node stands.

use super::shorten::printable;
use super::{Form, Item, Picture, Step};

/// The picture in the language of Graphviz.
pub fn dot(picture: &Picture) -> String {
    let mut out = format!(
        "digraph {} {{\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fillcolor=\"#fffdf8\", \
         color=\"#b3ab9c\", fontname=\"Helvetica\"];\n  edge [color=\"#aaa294\", fontname=\"Helvetica\", \
         fontsize=10];\n",
        quoted(&picture.title)
    );
    for step in picture.outline() {
        match step {
            Step::Leaf(number, depth) => {
                out += &format!("{}{}\n", indent(depth), node(number, &picture.items[number as usize]));
            }
            Step::Open(number, depth) => {
                out += &format!("{}subgraph cluster_{number} {{\n", indent(depth));
                out += &format!("{}{}\n", indent(depth + 1), node(number, &picture.items[number as usize]));
            }
            Step::Close(depth) => out += &format!("{}}}\n", indent(depth)),
        }
    }
    for link in &picture.links {
        let label = match link.label.as_str() {
            "" => String::new(),
            label => format!("label={}, style=dashed, ", quoted(label)),
        };
        let look = if link.critical { "color=\"#b4533a\", penwidth=2.6" } else { "penwidth=1.2" };
        out += &format!("  n{} -> n{} [{label}{look}];\n", link.from, link.to);
    }
    out + "}\n"
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth + 1)
}

fn node(number: u32, item: &Item) -> String {
    let look = item.state.map(|state| state.look());
    let glyph = look.as_ref().map_or(String::new(), |look| format!("{} ", look.glyph));
    let mut label = format!("{glyph}{}", item.name);
    if !item.detail.is_empty() {
        label += "\n";
        label += &item.detail;
    }
    let mut parts = vec![format!("label={}", quoted(&label))];
    match item.form {
        Form::Task => {}
        Form::Choice => parts.push("shape=diamond, style=filled".to_owned()),
        Form::Meeting => parts.push("shape=oval".to_owned()),
        Form::Container => parts.push("shape=folder, style=filled".to_owned()),
    }
    let rim = if item.critical { Some("#b4533a") } else { look.as_ref().map(|look| look.stroke) };
    parts.extend(rim.map(|colour| format!("color=\"{colour}\"")));
    if item.critical {
        parts.push("penwidth=2.6".to_owned());
    }
    if let Some(look) = look {
        parts.push(format!("fillcolor=\"{}\"", look.fill));
        if item.form == Form::Task && !look.dash.is_empty() {
            parts.push("style=\"rounded,filled,dashed\"".to_owned());
        }
    }
    format!("n{number} [{}];", parts.join(", "))
}

/// A text of DOT. A backslash would begin one of its escapes.
fn quoted(text: &str) -> String {
    let lines: Vec<String> =
        text.split('\n').map(|line| printable(line).replace('\\', "\\\\").replace('"', "\\\"")).collect();
    format!("\"{}\"", lines.join("\\n"))
}
