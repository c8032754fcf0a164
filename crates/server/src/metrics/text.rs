//! The text that Prometheus reads.

use std::fmt::Write as _;

use super::instrument::{Show, braced};

/// What it says about itself.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Metrics, one after the other.
#[derive(Debug, Default)]
pub struct Text(String);

impl Text {
    /// What follows is the metric of this name.
    pub fn head(&mut self, name: &str, kind: &str, about: &str) {
        self.put(format_args!("# HELP {name} {about}\n# TYPE {name} {kind}\n"));
    }

    /// A metric without labels.
    pub fn one(&mut self, name: &str, about: &str, metric: &impl ShowOnce) {
        metric.write(name, about, self);
    }

    /// A figure as it stands, of each of these labels.
    pub fn gauge(&mut self, name: &str, about: &str, rows: impl IntoIterator<Item = (String, f64)>) {
        self.figures(name, "gauge", about, rows);
    }

    /// A figure that only grows, counted by somebody else.
    pub fn counter(&mut self, name: &str, about: &str, rows: impl IntoIterator<Item = (String, f64)>) {
        self.figures(name, "counter", about, rows);
    }

    fn figures(
        &mut self,
        name: &str,
        kind: &str,
        about: &str,
        rows: impl IntoIterator<Item = (String, f64)>,
    ) {
        self.head(name, kind, about);
        for (labels, value) in rows {
            self.put(format_args!("{name}{} {value}\n", braced(&labels)));
        }
    }

    pub(super) fn raw(&mut self) -> &mut String {
        &mut self.0
    }

    /// All of it.
    pub fn finish(self) -> String {
        self.0
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("text takes whatever is written");
    }
}

/// An instrument without labels.
pub trait ShowOnce {
    /// With its head.
    fn write(&self, name: &str, about: &str, out: &mut Text);
}

impl<T: Show> ShowOnce for T {
    fn write(&self, name: &str, about: &str, out: &mut Text) {
        out.head(name, T::KIND, about);
        self.show(name, "", out.raw());
    }
}

/// The value of a label: only these three mean something.
pub fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_within_their_label() {
        assert_eq!(escaped("a\"} 1\nb \\"), "a\\\"} 1\\nb \\\\");
    }
}
