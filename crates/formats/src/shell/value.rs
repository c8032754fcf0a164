//! Values where the lexer finds them: a variable in fitting quotes, or a refusal.

use partitur_model::definition::Template;

use super::lexer::{Frame, HereDocument, Lexer};
use super::reference::{Dollar, dollar};
use super::{Refusal, Why};

impl Lexer<'_> {
    pub(super) fn refuse(&mut self, length: usize, why: Why) {
        self.refusals.push(Refusal { start: self.at, end: self.at + length, why });
        self.copy(length);
    }

    /// A value outside of single quotes.
    pub(super) fn value(&mut self, length: usize) {
        if let Some(why) = self.obstacle() {
            return self.refuse(length, why);
        }
        let quoted = self.frame() == Frame::Double;
        let name = self.variable(length);
        let text = if quoted { format!("${{{name}}}") } else { format!("\"${{{name}}}\"") };
        self.out.push_str(&text);
    }

    /// Why a value cannot stand here, if it cannot.
    fn obstacle(&self) -> Option<Why> {
        if let Some(what) = self.lost {
            return Some(Why::Unclosed(what));
        }
        if self.frames.contains(&Frame::Backtick) {
            return Some(Why::Place("within backticks, which read their text twice"));
        }
        for frame in self.frames.iter().rev() {
            match frame {
                Frame::Commands { .. } => return None,
                Frame::Double | Frame::Backtick => {}
                Frame::Arithmetic { .. } => {
                    return Some(Why::Place("where the shell computes: its text would be executed"));
                }
                Frame::Parameter => return Some(Why::Place("within the shell's own `${…}`")),
                Frame::Test if self.test_computes() => {
                    return Some(Why::Place(
                        "within a `[[` that compares numbers: its text would be executed",
                    ));
                }
                Frame::Test => return None,
            }
        }
        None
    }

    /// Whether the `[[ … ]]` around this place compares numbers.
    fn test_computes(&self) -> bool {
        let from = self.text[..self.at].rfind("[[").unwrap_or(0);
        let to = self.rest().find("]]").map_or(self.text.len(), |found| self.at + found);
        ["-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-v"].iter().any(|op| self.text[from..to].contains(op))
    }

    /// The variable of the value here, which is passed over.
    fn variable(&mut self, length: usize) -> String {
        let source = &self.rest()[..length];
        self.values += 1;
        self.last_value = Some((self.at, self.at + length));
        self.at += length;
        if let Some((name, _)) = self.vars.iter().find(|(_, template)| template.0 == source) {
            return name.clone();
        }
        let name = format!("PARTITUR_VALUE_{}", self.vars.len() + 1);
        self.vars.push((name.clone(), Template::from(source)));
        name
    }

    /// From `'` to `'`. A value closes them, stands in double quotes, and opens them again.
    pub(super) fn single_quotes(&mut self) {
        self.copy(1);
        self.in_word();
        loop {
            let rest = self.rest();
            match rest.as_bytes().first() {
                None => {
                    self.lost = Some("a `'`");
                    if let (Some((start, end)), true) = (self.last_value, self.refusals.is_empty()) {
                        self.refusals.push(Refusal { start, end, why: Why::Unclosed("a `'`") });
                    }
                    return;
                }
                Some(b'\'') => return self.copy(1),
                Some(b'$')
                    if rest.starts_with("$${")
                        && matches!(dollar(&rest[1..], self.names), Dollar::Ours(_)) =>
                {
                    self.at += 1;
                    self.copy(2);
                }
                Some(b'$') if rest.starts_with("${") => self.value_in_single_quotes(),
                Some(_) => {
                    self.copy_char();
                }
            }
        }
    }

    fn value_in_single_quotes(&mut self) {
        match dollar(self.rest(), self.names) {
            Dollar::Ours(reference) => match self.obstacle() {
                Some(why) => self.refuse(reference.length, why),
                None => {
                    let name = self.variable(reference.length);
                    self.out.push_str(&format!("'\"${{{name}}}\"'"));
                }
            },
            Dollar::Open | Dollar::Unknown(_) | Dollar::Theirs => self.copy(2),
        }
    }

    /// `$'…'`, which some shells know: there `\'` is no end.
    pub(super) fn ansi_quotes(&mut self) {
        let inner = &self.rest()[2..];
        let length = inner.find('\'').map_or(inner.len(), |found| found + 1);
        if inner[..length].ends_with("\\'") {
            self.lost = Some("a `$'…'` with a quote in it");
        }
        for (at, _) in inner[..length].match_indices("${") {
            if let Dollar::Ours(reference) = dollar(&inner[at..], self.names) {
                let start = self.at + 2 + at;
                let why = Why::Place("within `$'…'`");
                self.refusals.push(Refusal { start, end: start + reference.length, why });
            }
        }
        self.copy(2 + length);
        self.in_word();
    }

    /// `<<EOF`: remembers what ends the document that begins on the next line.
    pub(super) fn here_document(&mut self) {
        let rest = self.rest();
        let strip_tabs = rest.starts_with("<<-");
        let after = if strip_tabs { 3 } else { 2 };
        let blanks = rest[after..].len() - rest[after..].trim_start_matches([' ', '\t']).len();
        let word = &rest[after + blanks..];
        let length = word.find(|c: char| c.is_whitespace() || ";&|<>()".contains(c)).unwrap_or(word.len());
        let delimiter: String = word[..length].chars().filter(|c| !matches!(c, '\'' | '"' | '\\')).collect();
        self.copy(after + blanks);
        if word[..length].contains("${") {
            self.refuse(length, Why::Place("in the delimiter of a here-document"));
        } else {
            self.copy(length);
        }
        self.pending.push(HereDocument { delimiter, strip_tabs });
        self.in_word();
    }

    /// The here-documents whose lines begin here.
    pub(super) fn here_documents(&mut self) {
        for document in std::mem::take(&mut self.pending) {
            while self.at < self.text.len() {
                let line = self.rest().split_inclusive('\n').next().unwrap_or("");
                let text = line.strip_suffix('\n').unwrap_or(line);
                let text = if document.strip_tabs { text.trim_start_matches('\t') } else { text };
                let ends = text == document.delimiter;
                self.here_line(line);
                if ends {
                    break;
                }
            }
        }
    }

    fn here_line(&mut self, line: &str) {
        for (at, _) in line.match_indices("${") {
            if let Dollar::Ours(reference) = dollar(&line[at..], self.names) {
                let start = self.at + at;
                let why = Why::Place("within a here-document");
                self.refusals.push(Refusal { start, end: start + reference.length, why });
            }
        }
        self.copy(line.len());
    }
}
