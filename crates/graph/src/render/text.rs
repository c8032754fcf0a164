//! For a terminal: a line for each task, in an order in which they could run, and beside it the lines of those on whom
//! others still wait, as `git log --graph` draws commits.
//!
//! A task that stands under a line belongs to it, and so does one that a horizontal line joins with `├ ┤ └ ┘ ┴ ┼`; a line
//! that is only passed stays a plain `│`.

use super::shorten::printable;
use super::{Item, Picture, Scope};
use crate::Csr;

/// With more lines than this beside each other, names are easier to follow.
const LANES_MAX: usize = 32;
/// Of a longer list, so many names are told.
const NAMES_MAX: usize = 6;
const RESET: &str = "\x1b[0m";

/// The picture as lines of text; with `colour`, states are coloured too.
pub fn text(picture: &Picture, colour: bool) -> String {
    let mut out = String::new();
    let heading = [&picture.title, &picture.subtitle];
    let heading: Vec<String> =
        heading.iter().filter(|part| !part.is_empty()).map(|part| printable(part)).collect();
    if !heading.is_empty() {
        out += &format!("{}\n\n", heading.join("  "));
    }
    let writer = Writer { picture, scopes: picture.scopes(), colour };
    writer.scope(0, "", &mut out);
    if picture.items.iter().any(|item| item.critical) {
        out += "\n◆ critical path\n";
    }
    out
}

struct Writer<'a> {
    picture: &'a Picture,
    scopes: Vec<Scope>,
    colour: bool,
}

impl Writer<'_> {
    /// The tasks of a scope, each followed by what is inside it.
    fn scope(&self, scope: usize, prefix: &str, out: &mut String) {
        let scope = &self.scopes[scope];
        let csr = Csr::build(scope.items.len() as u32, &scope.edges);
        let before = csr.reversed();
        let order = order(&csr);
        let rows = lanes(&csr, &before, &order);
        let widest = rows.iter().map(|row| row.signs.len()).max().unwrap_or(0);
        let name = |place: u32| self.picture.items[scope.items[place as usize] as usize].name.as_str();
        for (&place, row) in order.iter().zip(&rows) {
            let number = scope.items[place as usize];
            let item = &self.picture.items[number as usize];
            let needs: Vec<&str> = before.successors(place).iter().map(|&from| name(from)).collect();
            let line = if widest <= 2 * LANES_MAX {
                self.drawn(item, row, widest)
            } else {
                self.listed(item, &needs)
            };
            *out += &format!("{prefix}{}\n", line.trim_end());
            let content = self.scopes.iter().position(|scope| scope.container == Some(number));
            if let Some(content) = content {
                let passing = if widest <= 2 * LANES_MAX { row.below(widest) } else { String::new() };
                self.scope(content, &format!("{prefix}{passing}  "), out);
            }
        }
    }

    fn drawn(&self, item: &Item, row: &Row, widest: usize) -> String {
        let mut line = String::new();
        for (at, &sign) in row.signs.iter().enumerate() {
            if at == row.node {
                line += &self.sign(item);
            } else {
                line.push(sign);
            }
        }
        line += &" ".repeat(widest - row.signs.len() + 2);
        line + &self.words(item)
    }

    fn listed(&self, item: &Item, needs: &[&str]) -> String {
        let mut line = format!("{} {}", self.sign(item), self.words(item));
        if !needs.is_empty() {
            let told: Vec<String> = needs.iter().take(NAMES_MAX).map(|name| printable(name)).collect();
            line += &format!("  after {}", told.join(", "));
            if needs.len() > NAMES_MAX {
                line += &format!(" and {} more", needs.len() - NAMES_MAX);
            }
        }
        line
    }

    fn sign(&self, item: &Item) -> String {
        match item.state {
            None => "●".to_owned(),
            Some(state) if self.colour => format!("{}{}{RESET}", state.look().terminal, state.look().glyph),
            Some(state) => state.look().glyph.to_owned(),
        }
    }

    fn words(&self, item: &Item) -> String {
        let mut words = printable(&item.name);
        if !item.detail.is_empty() {
            words += &format!("  {}", printable(&item.detail));
        }
        if item.critical {
            words += "  ◆";
        }
        words
    }
}

/// An order in which what a task makes possible follows it soon. What is on a cycle comes last.
fn order(csr: &Csr) -> Vec<u32> {
    let mut missing = csr.in_degrees();
    let mut open: Vec<u32> = (0..csr.nodes()).rev().filter(|&node| missing[node as usize] == 0).collect();
    let mut order = Vec::with_capacity(missing.len());
    while let Some(node) = open.pop() {
        order.push(node);
        for &next in csr.successors(node).iter().rev() {
            missing[next as usize] -= 1;
            if missing[next as usize] == 0 {
                open.push(next);
            }
        }
    }
    order.extend((0..csr.nodes()).filter(|&node| missing[node as usize] > 0));
    order
}

/// A line of the drawing.
struct Row {
    signs: Vec<char>,
    /// Where among the signs the task stands.
    node: usize,
    /// The lanes that go on below.
    open: Vec<bool>,
}

impl Row {
    /// The lines that pass beside what is inside the task.
    fn below(&self, widest: usize) -> String {
        let lanes: String = self.open.iter().map(|&open| if open { "│ " } else { "  " }).collect();
        format!("{lanes:<widest$}")
    }
}

/// What a lane is.
#[derive(Clone, Copy, PartialEq)]
enum Lane {
    /// Nothing.
    Free,
    /// A task ended it in the line before: what stood here now would seem to follow that task.
    JustEnded,
    /// Others still wait for this task.
    Of(u32),
}

fn lanes(csr: &Csr, before: &Csr, order: &[u32]) -> Vec<Row> {
    let mut waited_for: Vec<u32> = (0..csr.nodes()).map(|node| csr.out_degree(node)).collect();
    let mut lanes: Vec<Lane> = Vec::new();
    let mut rows = Vec::with_capacity(order.len());
    for &node in order {
        let mut joined = vec![false; lanes.len()];
        let mut ends = vec![false; lanes.len()];
        for &from in before.successors(node) {
            waited_for[from as usize] -= 1;
            // On a cycle, what comes first may stand below.
            if let Some(lane) = lanes.iter().position(|&lane| lane == Lane::Of(from)) {
                joined[lane] = true;
                ends[lane] = waited_for[from as usize] == 0;
            }
        }
        let own = ends.iter().position(|&ends| ends).unwrap_or_else(|| free(&mut lanes));
        joined.resize(lanes.len(), false);
        ends.resize(lanes.len(), false);
        let signs = signs(&lanes, &joined, &ends, own);
        for lane in 0..lanes.len() {
            if lanes[lane] == Lane::JustEnded || ends[lane] {
                lanes[lane] = Lane::Free;
            }
        }
        lanes[own] = if waited_for[node as usize] > 0 { Lane::Of(node) } else { Lane::JustEnded };
        let open: Vec<bool> = lanes.iter().map(|&lane| matches!(lane, Lane::Of(_))).collect();
        while lanes.last() == Some(&Lane::Free) {
            lanes.pop();
        }
        rows.push(Row { signs, node: 2 * own, open });
    }
    rows
}

fn free(lanes: &mut Vec<Lane>) -> usize {
    lanes.iter().position(|&lane| lane == Lane::Free).unwrap_or_else(|| {
        lanes.push(Lane::Free);
        lanes.len() - 1
    })
}

/// A sign for each lane, and one between each two.
fn signs(lanes: &[Lane], joined: &[bool], ends: &[bool], own: usize) -> Vec<char> {
    let reached = |lane: &usize| joined[*lane] || *lane == own;
    let first = (0..lanes.len()).find(reached).unwrap_or(own);
    let last = (0..lanes.len()).rev().find(reached).unwrap_or(own);
    let mut signs = Vec::with_capacity(2 * lanes.len());
    for lane in 0..lanes.len() {
        signs.push(match lanes[lane] {
            _ if lane == own => '●',
            Lane::Of(_) if joined[lane] => match (lane == first, lane == last, ends[lane]) {
                (true, _, false) => '├',
                (true, _, true) => '└',
                (false, true, false) => '┤',
                (false, true, true) => '┘',
                (false, false, false) => '┼',
                (false, false, true) => '┴',
            },
            Lane::Of(_) => '│',
            Lane::Free | Lane::JustEnded => {
                if first < lane && lane < last {
                    '─'
                } else {
                    ' '
                }
            }
        });
        signs.push(if first <= lane && lane < last { '─' } else { ' ' });
    }
    while signs.last() == Some(&' ') {
        signs.pop();
    }
    signs
}
