//! What tasks write: kept until they end, or passed on as it comes.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use partitur_api::Stream;

use crate::ink::printable;

/// How the output of tasks is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Of each task together, when it ends: of failed tasks the last lines, of the others with -v
    #[default]
    Grouped,
    /// Line by line as it comes, with the task's name in front
    Prefixed,
    /// Byte by byte as it comes
    Raw,
}

/// Of the output of a task so much is kept until it ends; the rest is in the log.
const KEPT: usize = 64 << 10;

/// So many lines of a failed task are shown.
pub const LINES_SHOWN: usize = 12;

/// What tasks have written and nobody has seen.
#[derive(Debug, Default)]
pub struct Captured {
    mode: Output,
    /// Both streams together; grouped.
    kept: HashMap<Arc<str>, String>,
    /// The beginning of a line; prefixed.
    open: HashMap<(Arc<str>, bool), String>,
}

impl Captured {
    /// Nothing has been written.
    pub fn new(mode: Output) -> Captured {
        Captured { mode, ..Captured::default() }
    }

    /// A task wrote something; gives what is to be shown at once.
    pub fn wrote(&mut self, task: &Arc<str>, stream: Stream, text: &str) -> Option<String> {
        match self.mode {
            Output::Grouped => {
                self.keep(task, text);
                None
            }
            Output::Raw => Some(text.to_owned()),
            Output::Prefixed => {
                let open = self.open.entry((task.clone(), stream == Stream::Stderr)).or_default();
                open.push_str(text);
                let end = open.rfind('\n')? + 1;
                let lines: String = open.drain(..end).collect();
                Some(prefixed(task, &lines))
            }
        }
    }

    fn keep(&mut self, task: &Arc<str>, text: &str) {
        let kept = self.kept.entry(task.clone()).or_default();
        kept.push_str(text);
        if kept.len() > 2 * KEPT {
            let mut cut = kept.len() - KEPT;
            while !kept.is_char_boundary(cut) {
                cut += 1;
            }
            kept.drain(..cut);
        }
    }

    /// The task's attempt is over: what it has written and nobody has seen; grouped.
    pub fn take(&mut self, task: &Arc<str>) -> String {
        self.kept.remove(task).unwrap_or_default()
    }

    /// The task's attempt is over: the lines that it has not ended; prefixed.
    pub fn take_open(&mut self, task: &Arc<str>) -> Vec<(Stream, String)> {
        let mut rest = Vec::new();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let open = self.open.remove(&(task.clone(), stream == Stream::Stderr)).unwrap_or_default();
            if !open.is_empty() {
                rest.push((stream, prefixed(task, &open)));
            }
        }
        rest
    }
}

fn prefixed(task: &str, lines: &str) -> String {
    lines.lines().fold(String::new(), |mut text, line| {
        writeln!(text, "{task} | {}", shown(line)).expect("a string takes everything");
        text
    })
}

/// The last lines, of what is longer, each behind a bar.
pub fn last_lines(text: &str, count: usize) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let skipped = lines.len().saturating_sub(count);
    let mut shown_lines = Vec::new();
    if skipped > 0 {
        shown_lines.push(format!("… {skipped} lines before"));
    }
    shown_lines.extend(lines[skipped..].iter().map(|line| shown(line)));
    shown_lines
}

/// A line as a terminal would leave it: a carriage return begins it anew.
fn shown(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    printable(line.rsplit('\r').next().unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixed_lines_are_whole() {
        let mut captured = Captured::new(Output::Prefixed);
        let task: Arc<str> = "load".into();
        assert_eq!(captured.wrote(&task, Stream::Stdout, "one\ntw"), Some("load | one\n".to_owned()));
        assert_eq!(captured.wrote(&task, Stream::Stderr, "oh\n"), Some("load | oh\n".to_owned()));
        assert_eq!(captured.wrote(&task, Stream::Stdout, "o"), None);
        assert_eq!(captured.take_open(&task), [(Stream::Stdout, "load | two\n".to_owned())]);
    }

    #[test]
    fn of_much_output_the_end_is_kept_whole_letters_only() {
        let mut captured = Captured::new(Output::Grouped);
        let task: Arc<str> = "flood".into();
        for _ in 0..100_000 {
            assert_eq!(captured.wrote(&task, Stream::Stdout, "äöü\n"), None);
        }
        let kept = captured.take(&task);
        assert!((KEPT - 4..=2 * KEPT).contains(&kept.len()));
        assert_eq!(last_lines(&kept, 2)[1..], ["äöü", "äöü"]);
        assert_eq!(captured.take(&task), "");
    }

    #[test]
    fn a_progress_bar_leaves_its_last_state() {
        assert_eq!(last_lines("10 %\r50 %\r100 %\nok\r\n", 5), ["100 %", "ok"]);
    }
}
