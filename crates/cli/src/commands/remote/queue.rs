//! `partitur queue`: what waits for workers, and which workers come.

use std::collections::BTreeMap;

use clap::Subcommand;
use partitur_report::short;
use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::moment;
use crate::remote::{Desk, Remote, Route, Table, Told as _, Verb, left, parsed, right, wide};
use crate::settings::Global;

/// What waits for workers, and which workers come
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur queue sizes
  partitur queue pollers book
  partitur queue requeue book")]
pub struct Queue {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// How many tasks wait for workers
    Sizes(Sizes),
    /// Who asked for tasks, and when
    #[command(visible_alias = "poll-data")]
    Pollers(Pollers),
    /// Put tasks back that their queue has lost
    Requeue(Requeue),
}

/// How many tasks wait for workers
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur queue sizes
  partitur queue sizes book send_mail --json")]
pub struct Sizes {
    /// Of these types [default: of all that have any]
    #[arg(value_name = "TYPE")]
    types: Vec<String>,
    /// Empty ones, too
    #[arg(long)]
    all: bool,
}

/// Who asked for tasks, and when
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur queue pollers
  partitur queue pollers book")]
struct Pollers {
    /// Of this type [default: of all]
    #[arg(value_name = "TYPE")]
    task_type: Option<String>,
}

/// Put tasks back that their queue has lost
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur queue requeue book")]
struct Requeue {
    /// Of which type
    #[arg(value_name = "TYPE")]
    task_type: String,
}

impl Queue {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let desk = Desk::open(&self.remote, global)?;
        match self.action {
            Action::Sizes(sizes) => sizes.run(&desk),
            Action::Pollers(pollers) => pollers.run(&desk),
            Action::Requeue(requeue) => requeue.run(&desk),
        }
    }
}

impl Sizes {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let route = if self.types.is_empty() {
            Route::new("tasks/queue/all")
        } else {
            let route = Route::new("tasks/queue/sizes");
            self.types.iter().fold(route, |route, task_type| route.with("taskType", task_type))
        };
        let answer = desk.client.get(&route)?;
        if desk.json {
            return Ok(desk.raw(&answer));
        }
        let told = parsed(&answer)?;
        let sizes: BTreeMap<&str, i64> = told
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, size)| (name.as_str(), size.as_i64().unwrap_or(0)))
            .collect();
        let mut table = Table::new([left("queue"), right("waiting")]);
        for (name, size) in sizes {
            if size > 0 || self.all || !self.types.is_empty() {
                table.row([name.into(), size.to_string().into()]);
            }
        }
        desk.table(&table, "nothing waits");
        Ok(Exit::Success)
    }
}

impl Pollers {
    fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let route = match &self.task_type {
            Some(task_type) => Route::new("tasks/queue/polldata").with("taskType", task_type),
            None => Route::new("tasks/queue/polldata/all"),
        };
        let answer = desk.client.get(&route)?;
        if desk.json {
            return Ok(desk.raw(&answer));
        }
        let told = parsed(&answer)?;
        let mut rows: Vec<&Value> = told.as_array().into_iter().flatten().collect();
        rows.sort_by_key(|row| (row.text("queueName"), std::cmp::Reverse(row.whole("lastPollTime"))));
        let mut table = Table::new([left("queue"), left("domain"), wide("worker"), right("asked")]);
        let now = moment();
        for row in rows {
            let ago = row.moment("lastPollTime").map(|at| format!("{} ago", short(now.since(at))));
            table.row([
                row.text("queueName").into(),
                row.text("domain").into(),
                row.text("workerId").into(),
                ago.unwrap_or_default().into(),
            ]);
        }
        desk.table(&table, "nobody has asked");
        Ok(Exit::Success)
    }
}

impl Requeue {
    fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let route = Route::new("tasks/queue/requeue").at(&self.task_type);
        let answer = desk.client.send(Verb::Post, &route, None)?;
        if desk.json {
            return Ok(desk.raw(&answer));
        }
        desk.say(&format!(
            "tasks of type {} that were put back: {}",
            self.task_type,
            answer.trim().trim_matches('"')
        ));
        Ok(Exit::Success)
    }
}
