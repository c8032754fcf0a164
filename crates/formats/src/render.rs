//! Faults as people read them: the code, the sentence, the place, the line with carets, the remedy.

use std::fmt::Write as _;

use partitur_model::{Fault, Severity};

use crate::places::{Location, Places};

/// Longer lines are cut around the carets.
const WIDTH_MAX: usize = 160;

/// Renders faults, one paragraph each.
pub fn render(faults: &[Fault], places: &Places, colour: bool) -> String {
    let ink = if colour { Ink::COLOURS } else { Ink::PLAIN };
    let mut out = String::new();
    for fault in faults {
        if !out.is_empty() {
            out.push('\n');
        }
        render_one(&mut out, fault, places, ink);
    }
    out
}

/// The control sequences around parts of the text.
#[derive(Clone, Copy)]
struct Ink {
    error: &'static str,
    warning: &'static str,
    bold: &'static str,
    dim: &'static str,
    end: &'static str,
}

impl Ink {
    const PLAIN: Ink = Ink { error: "", warning: "", bold: "", dim: "", end: "" };
    const COLOURS: Ink =
        Ink { error: "\x1b[1;31m", warning: "\x1b[1;33m", bold: "\x1b[1m", dim: "\x1b[2m", end: "\x1b[0m" };
}

fn render_one(out: &mut String, fault: &Fault, places: &Places, ink: Ink) {
    let (word, paint) = match fault.severity {
        Severity::Error => ("error", ink.error),
        Severity::Warning => ("warning", ink.warning),
    };
    let (code, message) = (fault.code, printable(&fault.message));
    line(out, format_args!("{paint}{word}[{code}]{}: {}{message}{}", ink.end, ink.bold, ink.end));
    if let Some(location) = places.locate_fault(fault) {
        render_location(out, fault, places, location, ink, paint);
    }
    match &fault.hint {
        Some(hint) => line(out, format_args!("  hint: {}   (partitur explain {code})", printable(hint))),
        None => line(out, format_args!("  (partitur explain {code})")),
    }
}

fn render_location(out: &mut String, fault: &Fault, places: &Places, at: Location, ink: Ink, paint: &str) {
    let place = fault.place.0.rsplit_once('#').map_or(fault.place.0.as_str(), |(_, place)| place);
    let path = printable(places.path(at.file));
    let header = format!("  {path}:{}:{}   {}", at.line, at.column, printable(place));
    line(out, format_args!("{}", header.trim_end()));
    let Some(excerpt) = Excerpt::of(places, at) else { return };
    let number = at.line.to_string();
    let margin = " ".repeat(number.len());
    line(out, format_args!("  {}{number} │{} {}", ink.dim, ink.end, excerpt.text));
    let (pad, carets) = (" ".repeat(excerpt.pad), "^".repeat(excerpt.carets));
    let marked = format!("{pad}{paint}{carets}{} {}", ink.end, printable(&fault.label));
    line(out, format_args!("  {}{margin} │{} {}", ink.dim, ink.end, marked.trim_end()));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a string takes everything");
}

/// The part of a line that is shown, and where the carets stand below it.
struct Excerpt {
    text: String,
    pad: usize,
    carets: usize,
}

impl Excerpt {
    fn of(places: &Places, at: Location) -> Option<Excerpt> {
        let source = places.text(at.file)?;
        let line = line_around(source, at.span.start as usize)?;
        let column = at.column as usize - 1;
        // Of what precedes a far column, half a line is shown.
        let skip = if column > WIDTH_MAX - 20 { column - WIDTH_MAX / 2 } else { 0 };
        let shown: String = line.chars().skip(skip).take(WIDTH_MAX).collect();
        let cut = line.chars().count() > skip + WIDTH_MAX;
        let before = if skip > 0 { "…" } else { "" };
        let pad = before.chars().count() + column - skip;
        let marked = source.get(at.span.start as usize..at.span.end as usize).unwrap_or("");
        let wanted = marked.lines().next().unwrap_or("").chars().count().max(1);
        let room = (shown.chars().count() + before.chars().count()).saturating_sub(pad).max(1);
        let text = format!("{before}{}{}", printable(&shown), if cut { "…" } else { "" });
        Some(Excerpt { text, pad, carets: wanted.min(room) })
    }
}

/// The line that holds this byte.
fn line_around(source: &str, at: usize) -> Option<&str> {
    let begin = source.get(..at)?.rfind('\n').map_or(0, |found| found + 1);
    source[begin..].lines().next()
}

/// The text with control characters replaced one for one: a document must not drive the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { if c == '\t' { ' ' } else { '\u{fffd}' } } else { c }).collect()
}
