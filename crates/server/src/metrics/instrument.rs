//! What counts: counters and histograms that threads share without waiting for one another, and families of them by label.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::text::{Text, escaped};

/// Something that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// So many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How often something was at most so large.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One for each bound, and one for whatever is larger.
    counts: Box<[AtomicU64]>,
    /// In billionths.
    sum: AtomicU64,
}

impl Histogram {
    /// With these upper bounds, rising.
    pub fn new(bounds: &'static [f64]) -> Histogram {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::default()).collect();
        Histogram { bounds, counts, sum: AtomicU64::default() }
    }

    /// A time.
    pub fn time(&self, took: Duration) {
        let at = self.bounds.partition_point(|bound| *bound < took.as_secs_f64());
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// A number of things.
    pub fn count(&self, things: u64) {
        let at = self.bounds.partition_point(|bound| *bound < things as f64);
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(things.saturating_mul(BILLION), Ordering::Relaxed);
    }
}

const BILLION: u64 = 1_000_000_000;

/// What can be shown under a name.
pub trait Show {
    /// As Prometheus calls it.
    const KIND: &'static str;

    /// Its lines; `labels` is what stands between the braces.
    fn show(&self, name: &str, labels: &str, out: &mut String);
}

impl Show for Counter {
    const KIND: &'static str = "counter";

    fn show(&self, name: &str, labels: &str, out: &mut String) {
        line(out, format_args!("{name}{}", braced(labels)), format_args!("{}", self.get()));
    }
}

impl Show for Histogram {
    const KIND: &'static str = "histogram";

    fn show(&self, name: &str, labels: &str, out: &mut String) {
        let separator = if labels.is_empty() { "" } else { "," };
        let mut so_far = 0;
        for (at, count) in self.counts.iter().enumerate() {
            so_far += count.load(Ordering::Relaxed);
            let bound = self.bounds.get(at).map_or_else(|| "+Inf".to_owned(), f64::to_string);
            let name = format_args!("{name}_bucket{{{labels}{separator}le=\"{bound}\"}}");
            line(out, name, format_args!("{so_far}"));
        }
        let sum = self.sum.load(Ordering::Relaxed) as f64 / BILLION as f64;
        line(out, format_args!("{name}_sum{}", braced(labels)), format_args!("{sum}"));
        line(out, format_args!("{name}_count{}", braced(labels)), format_args!("{so_far}"));
    }
}

fn line(out: &mut String, name: std::fmt::Arguments<'_>, value: std::fmt::Arguments<'_>) {
    writeln!(out, "{name} {value}").expect("text takes whatever is written");
}

pub(super) fn braced(labels: &str) -> String {
    if labels.is_empty() { String::new() } else { format!("{{{labels}}}") }
}

/// A label whose values are known.
pub type Known = (&'static str, &'static [&'static str]);

/// Instruments of one name by two labels whose values are known: all of them are there from the start.
#[derive(Debug)]
pub struct Grid<T> {
    name: &'static str,
    about: &'static str,
    rows: Known,
    columns: Known,
    cells: Box<[T]>,
}

impl<T: Show> Grid<T> {
    /// One for each pair of values.
    pub fn new(
        name: &'static str,
        about: &'static str,
        rows: Known,
        columns: Known,
        new: impl Fn() -> T,
    ) -> Grid<T> {
        let cells = (0..rows.1.len() * columns.1.len()).map(|_| new()).collect();
        Grid { name, about, rows, columns, cells }
    }

    /// The one at the given places of both lists.
    pub fn at(&self, row: usize, column: usize) -> &T {
        &self.cells[row * self.columns.1.len() + column]
    }

    pub(super) fn write(&self, out: &mut Text) {
        out.head(self.name, T::KIND, self.about);
        for (row, of_row) in self.rows.1.iter().enumerate() {
            for (column, of_column) in self.columns.1.iter().enumerate() {
                let labels = format!("{}=\"{of_row}\",{}=\"{of_column}\"", self.rows.0, self.columns.0);
                self.at(row, column).show(self.name, &labels, out.raw());
            }
        }
    }
}

/// So many values of a label that users choose are told apart; all further ones are `_other`.
pub const VALUES_MAX: usize = 500;

/// No value of a label is longer, in characters.
const VALUE_LENGTH_MAX: usize = 120;

/// What is counted under the name of all values beyond the limit.
pub const OTHER: &str = "_other";

/// Instruments of one name by a label that users choose, and one whose values are known.
#[derive(Debug)]
pub struct Family<T> {
    name: &'static str,
    about: &'static str,
    label: &'static str,
    columns: Known,
    new: fn() -> T,
    /// Whether all columns are there with the first.
    whole: bool,
    rows: Mutex<HashMap<Arc<str>, Vec<Option<T>>>>,
    /// So often a value had no place of its own.
    overflow: Counter,
}

impl Family<Counter> {
    /// Counters; with the first of a value there are those of all columns, at zero.
    pub fn counters(
        name: &'static str,
        about: &'static str,
        label: &'static str,
        columns: Known,
    ) -> Family<Counter> {
        Family::new(name, about, label, columns, Counter::default, true)
    }

    /// Whatever it counts from now on, it is there, at zero.
    pub fn foresee(&self, value: &str) {
        self.with(value, 0, |_| {});
    }
}

impl Family<Histogram> {
    /// Histograms, each there when it is needed.
    pub fn histograms(
        name: &'static str,
        about: &'static str,
        label: &'static str,
        columns: Known,
        new: fn() -> Histogram,
    ) -> Family<Histogram> {
        Family::new(name, about, label, columns, new, false)
    }
}

impl<T: Show> Family<T> {
    fn new(
        name: &'static str,
        about: &'static str,
        label: &'static str,
        columns: Known,
        new: fn() -> T,
        whole: bool,
    ) -> Family<T> {
        let (rows, overflow) = (Mutex::default(), Counter::default());
        Family { name, about, label, columns, new, whole, rows, overflow }
    }

    /// Does something with the instrument of a value and a column.
    pub fn with(&self, value: &str, column: usize, act: impl FnOnce(&T)) {
        let value = cut(value);
        let mut rows = self.rows();
        if let Some(row) = rows.get_mut(value) {
            return act(self.cell(row, column));
        }
        let value = if rows.len() >= VALUES_MAX {
            self.overflow.add(1);
            OTHER
        } else {
            value
        };
        act(self.cell(rows.entry(value.into()).or_default(), column));
    }

    fn cell<'a>(&self, row: &'a mut Vec<Option<T>>, column: usize) -> &'a T {
        if row.is_empty() {
            row.extend(self.columns.1.iter().map(|_| self.whole.then(self.new)));
        }
        row[column].get_or_insert_with(self.new)
    }

    /// So often a value had no place of its own.
    pub(super) fn overflow(&self) -> (&'static str, u64) {
        (self.name, self.overflow.get())
    }

    fn rows(&self) -> MutexGuard<'_, HashMap<Arc<str>, Vec<Option<T>>>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self, out: &mut Text) {
        self.write_as(self.name, ["namespace=\"default\",", self.label, self.columns.0], out);
    }

    /// The same under another name: what stands before all labels, and the names of both.
    pub(super) fn write_as(&self, name: &str, [before, label, column_label]: [&str; 3], out: &mut Text) {
        out.head(name, T::KIND, self.about);
        let rows = self.rows();
        let mut sorted: Vec<_> = rows.iter().collect();
        sorted.sort_by_key(|(value, _)| *value);
        for (value, row) in sorted {
            for (cell, column) in row.iter().zip(self.columns.1) {
                let Some(cell) = cell else { continue };
                let mut labels = format!("{before}{label}=\"{}\"", escaped(value));
                if !column_label.is_empty() {
                    labels.push_str(&format!(",{column_label}=\"{column}\""));
                }
                cell.show(name, &labels, out.raw());
            }
        }
    }
}

/// Names are as long as users like; labels are not.
pub(super) fn cut(value: &str) -> &str {
    if value.len() <= VALUE_LENGTH_MAX {
        return value;
    }
    value.char_indices().nth(VALUE_LENGTH_MAX).map_or(value, |(end, _)| &value[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_what_is_at_most_its_bound() {
        let histogram = Histogram::new(&[0.5, 1.0]);
        [100, 500, 501, 2_000].into_iter().for_each(|millis| histogram.time(Duration::from_millis(millis)));
        let mut out = String::new();
        histogram.show("x", "a=\"b\"", &mut out);
        let expected = "x_bucket{a=\"b\",le=\"0.5\"} 2\nx_bucket{a=\"b\",le=\"1\"} 3\n\
                        x_bucket{a=\"b\",le=\"+Inf\"} 4\nx_sum{a=\"b\"} 3.101\nx_count{a=\"b\"} 4\n";
        assert_eq!(out, expected);
    }

    #[test]
    fn values_beyond_the_limit_share_a_place_and_are_counted() {
        let family = Family::counters("x_total", "x", "workflow", ("outcome", &["a", "b"]));
        for at in 0..VALUES_MAX + 3 {
            family.with(&format!("flow {at}"), 1, |counter| counter.add(1));
        }
        family.with("flow 0", 1, |counter| counter.add(1));
        let mut out = Text::default();
        family.write(&mut out);
        let text = out.finish();
        assert!(text.contains("workflow=\"flow 0\",outcome=\"b\"} 2\n"), "who was first keeps its place");
        assert!(text.contains("workflow=\"flow 0\",outcome=\"a\"} 0\n"), "all outcomes are there at zero");
        assert!(text.contains("workflow=\"_other\",outcome=\"b\"} 3\n"));
        assert_eq!(family.overflow(), ("x_total", 3));
        assert_eq!(text.lines().filter(|line| line.starts_with("x_total")).count(), 2 * (VALUES_MAX + 1));
    }

    #[test]
    fn a_long_name_is_one_value_however_it_ends() {
        let family = Family::counters("x_total", "x", "workflow", ("", &[""]));
        let long = "ä".repeat(VALUE_LENGTH_MAX);
        for end in ["", "b", "c"] {
            family.with(&format!("{long}{end}"), 0, |counter| counter.add(1));
        }
        assert_eq!(family.rows().len(), 1);
    }
}
