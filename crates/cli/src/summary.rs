//! What is said at the end of a run.

use std::io::IsTerminal as _;
use std::path::Path;

use partitur_model::Timestamp;
use partitur_model::record::{RunOutcome, RunState};
use partitur_report::{Performance, Watch};

use crate::ink::{Line, Paint, printable};
use crate::progress::now;
use crate::records::Records;

/// The name of a figure takes so many columns.
const NAME: usize = 16;

/// The lines of the summary, folded to so many columns.
pub fn lines(records: &Records, watch: &Watch, state: &Path, columns: usize) -> Vec<Line> {
    let figure = |name: &str, text: &str| folded(name, text, columns);
    let story = records.story(Timestamp::from_millis(now()));
    let performance = Performance::of(&story, watch);
    let mut lines = vec![headline(&performance, records)];
    let figures = performance.lines();
    lines.extend(figures.iter().flat_map(|(name, text)| figure(name, text)));
    if let Some(output) = records.run.output.as_ref().and_then(|output| output.entries()) {
        lines.extend(
            output
                .iter()
                .flat_map(|(name, value)| figure("output", &format!("{name} = {}", cut(&value.render())))),
        );
    }
    let number = records.run.id.number();
    let log = state.join("runs").join(format!("{number}.log"));
    if log.exists() {
        lines.extend(figure("logs", &format!("partitur logs {number}")));
    }
    lines.extend(next_step(records.run.state, number).into_iter().flat_map(|step| figure("next", &step)));
    lines
}

fn headline(performance: &Performance, records: &Records) -> Line {
    let (paint, sign) = match records.run.state {
        RunState::Ended(RunOutcome::Succeeded) => (Paint::Good, "✓ "),
        RunState::Ended(RunOutcome::Cancelled | RunOutcome::RolledBack) => (Paint::Warn, "✗ "),
        RunState::Ended(RunOutcome::Failed | RunOutcome::TimedOut | RunOutcome::RollbackFailed) => {
            (Paint::Bad, "✗ ")
        }
        RunState::Running | RunState::Paused | RunState::Ending(_) | RunState::RollingBack(_) => {
            (Paint::Active, "▸ ")
        }
    };
    Line::new()
        .add(paint, sign)
        .add(Paint::Bold, performance.headline())
        .add(Paint::Dim, format!("   run {}", performance.run))
}

/// A figure, its text broken at blanks where it is too long for the terminal.
fn folded(name: &str, text: &str, columns: usize) -> Vec<Line> {
    let room = columns.saturating_sub(NAME + 1).max(24);
    let mut rows = vec![String::new()];
    for word in text.split_inclusive(' ') {
        let row = rows.last_mut().expect("there is always one");
        if !row.is_empty() && row.chars().count() + word.trim_end().chars().count() > room {
            rows.push(word.to_owned());
        } else {
            row.push_str(word);
        }
    }
    let name = |at: usize| if at == 0 { format!("  {name:<14}") } else { " ".repeat(NAME) };
    let line = |(at, row): (usize, &String)| Line::new().add(Paint::Dim, name(at)).text(row.trim_end());
    rows.iter().enumerate().map(line).collect()
}

fn cut(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(200) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// What somebody may want to do now.
fn next_step(state: RunState, number: u64) -> Option<String> {
    match state {
        RunState::Ended(RunOutcome::Failed | RunOutcome::TimedOut | RunOutcome::Cancelled) => {
            Some(format!("partitur resume {number} goes on from there; partitur rollback {number} undoes it"))
        }
        RunState::Ended(RunOutcome::RollbackFailed) => {
            Some(format!("partitur resume {number} goes on with the rollback"))
        }
        RunState::Running | RunState::Paused | RunState::Ending(_) | RunState::RollingBack(_) => {
            Some(format!("partitur resume {number} goes on with it"))
        }
        RunState::Ended(RunOutcome::Succeeded | RunOutcome::RolledBack) => None,
    }
}

/// Says the lines on standard error.
pub fn say(lines: &[Line], colour: bool) {
    let text: String = lines.iter().map(|line| line.whole(colour) + "\n").collect();
    if std::io::stderr().is_terminal() {
        // After the lines of the tasks, or the block that stood there.
        eprintln!();
    }
    eprint!("{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_figure_is_folded_below_itself() {
        let lines = folded("waits", "dependency 59.1s · lock 6.7s (all tasks together)", 46);
        let shown: String = lines.iter().map(|line| line.whole(false) + "\n").collect();
        insta::assert_snapshot!(shown, @r"
          waits         dependency 59.1s · lock 6.7s
                        (all tasks together)
        ");
        assert_eq!(folded("logs", &"x".repeat(100), 20).len(), 1);
    }
}
