//! Where a command works: it asks through the client, and lays the answers out for people or for programs.

use std::io::IsTerminal as _;

use partitur_model::Payload;

use super::client::Client;
use super::options::Remote;
use super::problem::Problem;
use super::table::Table;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::ink::{Line, Paint};
use crate::plan::put;
use crate::settings::Global;

/// What a command works with.
pub struct Desk {
    /// Asks.
    pub client: Client,
    /// Programs read what is shown.
    pub json: bool,
    colour: bool,
    columns: Option<usize>,
    loud: bool,
}

impl Desk {
    /// A desk for a command line.
    ///
    /// # Errors
    /// The server or the key is given wrongly.
    pub fn open(remote: &Remote, global: &Global) -> Result<Desk, Failure> {
        Ok(Desk {
            client: Client::open(remote)?,
            json: remote.json,
            colour: global.color.for_stream(&std::io::stdout()),
            columns: columns(),
            loud: global.color.for_stream(&std::io::stderr()),
        })
    }

    /// Shows lines; on a terminal none is broken.
    pub fn print(&self, lines: &[Line]) {
        let width = self.columns.unwrap_or(usize::MAX);
        put(&lines.iter().map(|line| line.render(width, self.colour) + "\n").collect::<String>());
    }

    /// Shows whole lines, however long: values, logs.
    pub fn print_whole(&self, lines: &[Line]) {
        put(&lines.iter().map(|line| line.whole(self.colour) + "\n").collect::<String>());
    }

    /// Shows a table, or that there is nothing in it.
    pub fn table(&self, table: &Table, none: &str) {
        if table.is_empty() {
            self.say(none);
        } else {
            self.print(&table.lines(self.columns));
        }
    }

    /// What the server said, as it said it.
    pub fn raw(&self, text: &str) -> Exit {
        put(&format!("{}\n", text.trim_end()));
        Exit::Success
    }

    /// Talk.
    pub fn say(&self, text: &str) {
        eprintln!("{}", Line::new().text(text).whole(self.loud));
    }

    /// Talk in colours.
    pub fn say_line(&self, line: &Line) {
        eprintln!("{}", line.whole(self.loud));
    }
}

/// How wide the terminal on standard output is, if it is one.
fn columns() -> Option<usize> {
    let out = std::io::stdout();
    let size = out.is_terminal().then(|| rustix::termios::tcgetwinsize(&out).ok()).flatten()?;
    Some(usize::from(size.ws_col)).filter(|&columns| columns > 0)
}

/// What became of each of many.
#[derive(Default)]
pub struct Tally {
    done: Vec<String>,
    refused: Vec<(String, Problem)>,
}

impl Tally {
    /// Does something with each; what a refusal of one says of the others is left to the server.
    ///
    /// # Errors
    /// Nobody answers: then there is no use in going on.
    pub fn of(names: &[String], mut what: impl FnMut(&str) -> Result<(), Problem>) -> Result<Tally, Problem> {
        let mut tally = Tally::default();
        for name in names {
            match what(name) {
                Ok(()) => tally.done.push(name.clone()),
                Err(problem @ (Problem::Refused { .. } | Problem::Forbidden { .. })) => {
                    tally.refused.push((name.clone(), problem));
                }
                Err(
                    problem @ (Problem::Address { .. }
                    | Problem::Unreachable { .. }
                    | Problem::Unanswered { .. }
                    | Problem::Foreign { .. }
                    | Problem::Garbled { .. }),
                ) => return Err(problem),
            }
        }
        Ok(tally)
    }

    /// Says what became of them; one that was refused decides the exit code.
    ///
    /// # Errors
    /// The refusal, if there was only one to do.
    pub fn tell(mut self, desk: &Desk, word: &str) -> Result<Exit, Failure> {
        if desk.json {
            desk.raw(&self.json());
        } else {
            self.done.iter().for_each(|name| desk.say(&format!("{name} {word}")));
        }
        let alone = self.done.is_empty() && self.refused.len() == 1;
        match self.refused.pop() {
            Some((_, problem)) if alone => Err(problem.into()),
            Some(last) => {
                self.refused.push(last);
                for (name, problem) in &self.refused {
                    let line = Line::new().add(Paint::Bad, "error").text(format!(": {name}: "));
                    desk.say_line(&line.text(problem.words()));
                }
                Ok(self.refused[0].1.exit())
            }
            None => Ok(Exit::Success),
        }
    }

    /// As Conductor tells it.
    fn json(&self) -> String {
        let refused =
            self.refused.iter().map(|(name, problem)| (name.clone(), Payload::string(&problem.words())));
        Payload::object([
            ("bulkErrorResults", Payload::object(refused)),
            ("bulkSuccessfulResults", Payload::list(self.done.iter().map(|name| Payload::string(name)))),
        ])
        .render()
    }
}
