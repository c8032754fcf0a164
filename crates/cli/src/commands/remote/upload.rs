//! Definitions from files to a server: read and checked all of them, then sent one by one, only what is new or changed.

use std::path::PathBuf;

use partitur_model::Payload;
use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::ink::{Colour, Paint};
use crate::remote::definitions::{Definition, Kind, read};
use crate::remote::{Cell, Desk, Problem, Route, Table, Told as _, Verb, left, parsed, right, wide};

/// What every upload takes.
#[derive(Debug, clap::Args)]
pub struct Upload {
    /// Files with one definition, a list of them, or `workflowDefs` and `taskDefs` (`-` is standard input)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Send what is unchanged, too
    #[arg(long)]
    force: bool,
    /// Leave all checks to the server
    #[arg(long)]
    no_check: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// What became of a definition.
struct Sent {
    definition: Definition,
    outcome: Outcome,
}

enum Outcome {
    Created,
    Changed,
    Unchanged,
    Refused(Problem),
}

impl Upload {
    /// Reads, checks and sends.
    ///
    /// # Errors
    /// What is wrong with the files, or nobody answers.
    pub fn run(self, desk: &Desk, kind: Kind, colour: Colour) -> Result<Exit, Failure> {
        let mut sent = Vec::new();
        for definition in read(&self.files, kind, !self.no_check, colour)? {
            let outcome = match self.bring(desk, &definition) {
                Ok(outcome) => outcome,
                Err(problem @ (Problem::Refused { .. } | Problem::Forbidden { .. })) => {
                    Outcome::Refused(problem)
                }
                Err(problem) => return Err(problem.into()),
            };
            sent.push(Sent { definition, outcome });
        }
        if desk.json {
            desk.raw(&Payload::list(sent.iter().map(Sent::json)).render());
        } else {
            desk.table(&table(&sent), "there is nothing to upload");
            sent.iter().filter_map(Sent::refusal).for_each(|line| desk.say(&line));
        }
        let refused = sent.iter().find_map(|sent| match &sent.outcome {
            Outcome::Refused(Problem::Refused { status: 400, .. }) => Some(Exit::Faulty),
            Outcome::Refused(problem) => Some(problem.exit()),
            Outcome::Created | Outcome::Changed | Outcome::Unchanged => None,
        });
        Ok(refused.unwrap_or(Exit::Success))
    }

    fn bring(&self, desk: &Desk, definition: &Definition) -> Result<Outcome, Problem> {
        let known = known(desk, definition)?;
        let outcome = match &known {
            None => Outcome::Created,
            Some(theirs) if definition.is_like(theirs) => Outcome::Unchanged,
            Some(_) => Outcome::Changed,
        };
        if !self.dry_run && (self.force || !matches!(outcome, Outcome::Unchanged)) {
            send(desk, definition, known.is_some())?;
        }
        Ok(outcome)
    }
}

/// What the server has under this name.
fn known(desk: &Desk, definition: &Definition) -> Result<Option<Value>, Problem> {
    let name = definition.name();
    match definition.kind {
        Kind::Workflow => {
            let route = Route::new("metadata/workflow").at(name).with_some("version", definition.version());
            desk.client.find_json(&route)
        }
        Kind::Task => desk.client.find_json(&Route::new("metadata/taskdefs").at(name)),
        Kind::Schedule => desk.client.find_json(&Route::new("scheduler/schedules").at(name)),
        Kind::Handler => {
            let all = desk.client.get_json(&Route::new("event"))?;
            Ok(all
                .as_array()
                .and_then(|all| all.iter().find(|handler| handler.text("name") == name).cloned()))
        }
    }
}

fn send(desk: &Desk, definition: &Definition, is_known: bool) -> Result<(), Problem> {
    let alone = definition.text.clone();
    let listed = format!("[{alone}]");
    let (verb, route, body) = match definition.kind {
        Kind::Workflow => (Verb::Put, Route::new("metadata/workflow"), listed),
        Kind::Task => (Verb::Post, Route::new("metadata/taskdefs"), listed),
        Kind::Schedule => (Verb::Post, Route::new("scheduler/schedules"), alone),
        Kind::Handler if is_known => (Verb::Put, Route::new("event"), alone),
        Kind::Handler => (Verb::Post, Route::new("event"), alone),
    };
    let answer = desk.client.send(verb, &route, Some(body))?;
    // A list of workflows is answered with 200 whatever became of its parts.
    let refused = parsed(&answer).ok().and_then(|told| {
        let refused = told.get("bulkErrorResults")?.as_object()?.values().next()?.clone();
        Some(refused.as_str().map_or_else(|| refused.to_string(), str::to_owned))
    });
    match refused {
        Some(message) => Err(Problem::Refused {
            asked: format!("PUT {}", route.shown()),
            status: 400,
            message,
            faults: Vec::new(),
            hint: None,
        }),
        None => Ok(()),
    }
}

fn table(sent: &[Sent]) -> Table {
    let mut table = Table::new([left("result"), left("what"), left("name"), right("version"), wide("file")]);
    for Sent { definition, outcome } in sent {
        let (paint, word) = outcome.shown();
        let version = definition.version().map(|version| version.to_string()).unwrap_or_default();
        table.row([
            Cell::new(paint, word),
            definition.kind.word().into(),
            definition.name().into(),
            version.into(),
            Cell::new(Paint::Dim, &definition.file),
        ]);
    }
    table
}

impl Outcome {
    fn shown(&self) -> (Paint, &'static str) {
        match self {
            Outcome::Created => (Paint::Good, "created"),
            Outcome::Changed => (Paint::Good, "changed"),
            Outcome::Unchanged => (Paint::Dim, "unchanged"),
            Outcome::Refused(_) => (Paint::Bad, "refused"),
        }
    }
}

impl Sent {
    fn refusal(&self) -> Option<String> {
        match &self.outcome {
            Outcome::Refused(problem) => Some(format!("{}: {}", self.definition.name(), problem.words())),
            Outcome::Created | Outcome::Changed | Outcome::Unchanged => None,
        }
    }

    fn json(&self) -> Payload {
        let definition = &self.definition;
        let version = definition.version().and_then(|version| u64::try_from(version).ok());
        let reason = self.refusal().map_or(Payload::Null, |reason| Payload::string(&reason));
        Payload::object([
            ("result", Payload::string(self.outcome.shown().1)),
            ("kind", Payload::string(definition.kind.word())),
            ("name", Payload::string(definition.name())),
            ("version", version.map_or(Payload::Null, Payload::from)),
            ("file", Payload::string(&definition.file)),
            ("reason", reason),
        ])
    }
}
