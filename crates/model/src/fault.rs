//! What is wrong with a document: code, place, cause, remedy.

use std::fmt;

/// A place in a document, in the user's own spelling: `tasks.report.needs[0]`.
///
/// `formats` maps it to file, line and column.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub String);

impl Place {
    /// The place of the whole document.
    pub fn root() -> Place {
        Place::default()
    }

    /// The member `key` of the mapping at this place.
    pub fn member(&self, key: &str) -> Place {
        if self.0.is_empty() { Place(key.to_owned()) } else { Place(format!("{}.{key}", self.0)) }
    }

    /// The element `index` of the list at this place.
    pub fn element(&self, index: usize) -> Place {
        Place(format!("{}[{index}]", self.0))
    }

    /// The place that holds this one: `tasks.report.needs` for `tasks.report.needs[0]`.
    pub fn parent(&self) -> Option<Place> {
        let cut = self.0.rfind(['.', '['])?;
        Some(Place(self.0[..cut].to_owned()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a document with this fault may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It may; the reader should know.
    Warning,
    /// It is refused.
    Error,
}

/// One thing that is wrong. Faults are collected: a reader sees all of them at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Stable, as in `P0107`; each has a page under `docs/errors/`.
    pub code: &'static str,
    /// Whether the document may run all the same.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// Which part of the text at `place`, as byte offsets into the decoded scalar; the whole of it if `None`.
    pub within: Option<(u32, u32)>,
    /// A sentence without full stop, lower case: what is wrong.
    pub message: String,
    /// Two or three words under the marked text.
    pub label: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Fault {
    /// A fault that refuses the document.
    pub fn error(code: &'static str, place: Place, message: impl Into<String>) -> Fault {
        Fault {
            code,
            severity: Severity::Error,
            place,
            within: None,
            message: message.into(),
            label: String::new(),
            hint: None,
        }
    }

    /// A fault that is only told.
    pub fn warning(code: &'static str, place: Place, message: impl Into<String>) -> Fault {
        Fault { severity: Severity::Warning, ..Fault::error(code, place, message) }
    }

    /// Adds the words under the marked text.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Fault {
        self.label = label.into();
        self
    }

    /// Adds the remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Fault {
        self.hint = Some(hint.into());
        self
    }

    /// Narrows the fault to a part of the scalar at its place.
    #[must_use]
    pub fn within(mut self, start: usize, end: usize) -> Fault {
        self.within = Some((start as u32, end as u32));
        self
    }
}

/// The name among `known` that is nearest to `wanted`, if one is near enough to be meant.
///
/// Near enough: at most a third of the letters differ (Damerau-Levenshtein, adjacent swaps count once).
pub fn did_you_mean<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (wanted.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (edit_distance(wanted, name), name))
        .filter(|&(distance, _)| distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// Optimal string alignment distance, in characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_found_and_a_far_one_is_not() {
        let known = ["aggregate", "report", "load"];
        assert_eq!(did_you_mean("agregate", known), Some("aggregate"));
        assert_eq!(did_you_mean("reprot", known), Some("report"));
        assert_eq!(did_you_mean("publish", known), None);
    }

    #[test]
    fn places_nest() {
        let place = Place::root().member("tasks").member("report").member("needs").element(0);
        assert_eq!(place.to_string(), "tasks.report.needs[0]");
        assert_eq!(place.parent().unwrap().parent().unwrap().to_string(), "tasks.report");
    }
}
