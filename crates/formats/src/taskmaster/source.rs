//! The text of a file, and where everything in it stands.

use std::sync::Arc;

use partitur_model::{Fault, Place, Severity};

use super::backlog::Backlog;
use super::finding::Finding;
use super::read;
use crate::document::{Faults, decode};
use crate::places::{Location, Places};
use crate::tree::{Budget, Span, Tree};
use crate::yaml::Unreadable;
use crate::{codes, json};

/// A file of Taskmaster, read but not judged.
pub struct Source {
    places: Places,
    /// Bytes before the text: a mark that says that it is UTF-8.
    pub(super) mark: &'static [u8],
}

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

impl Source {
    /// Reads a file; `path` is for people.
    ///
    /// # Errors
    /// It is no JSON, or larger than a document may be.
    pub fn parse(path: &str, bytes: &[u8]) -> Result<Source, Faults> {
        let mut places = Places::default();
        match parse(bytes) {
            Ok(tree) => {
                places.add_file("", path, tree);
                let mark = if bytes.starts_with(UTF8_MARK) { UTF8_MARK } else { &[] };
                Ok(Source { places, mark })
            }
            Err((Unreadable { mut fault, span }, text)) => {
                fault.place = Place::root();
                places.mark(fault.code, Place::root(), span);
                places.add_file("", path, Tree::empty(text));
                Err(Faults { faults: vec![fault], places })
            }
        }
    }

    /// What it holds.
    pub fn backlog(&self) -> Backlog<'_> {
        read::backlog(self.tree())
    }

    /// The text without the mark before it.
    pub fn text(&self) -> &str {
        self.tree().source()
    }

    /// Where a finding is shown.
    pub fn locate(&self, finding: &Finding) -> Option<Location> {
        self.places.locate_fault(&finding.fault)
    }

    /// Puts findings into the order of the text, and errors before warnings where both stand at one place.
    pub fn sort(&self, findings: &mut [Finding]) {
        findings.sort_by_cached_key(|finding| {
            let warning = finding.fault.severity == Severity::Warning;
            (self.locate(finding).map(|at| at.span.start), warning, finding.fault.code)
        });
    }

    /// Findings for people.
    pub fn render(&self, findings: &[Finding], colour: bool) -> String {
        let faults: Vec<Fault> = findings.iter().map(|finding| finding.fault.clone()).collect();
        crate::render(&faults, &self.places, colour)
    }

    pub(super) fn tree(&self) -> &Tree {
        self.places.main_tree().expect("the file was added")
    }
}

fn parse(bytes: &[u8]) -> Result<Tree, (Unreadable, Arc<str>)> {
    let budget = Budget::default();
    let nothing = || Arc::<str>::from("");
    if bytes.len() > budget.bytes_max {
        let message = format!("the file has {} bytes; {} are allowed", bytes.len(), budget.bytes_max);
        return Err((Unreadable::new(codes::BUDGET, Span::default(), message).label("too large"), nothing()));
    }
    let text: Arc<str> = decode(bytes).map_err(|why| (why, nothing()))?.into();
    json::parse(text.clone(), budget).map_err(|why| (why, text))
}
