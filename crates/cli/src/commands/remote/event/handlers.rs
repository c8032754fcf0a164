//! `partitur event list`, `show` and `delete`.

use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::ink::Paint;
use crate::remote::{Cell, Desk, Problem, Route, Table, Tally, Told as _, Verb, left, meant, parsed, wide};

/// List event handlers
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur event list
  partitur event list --of conductor:orders:new --all")]
pub struct List {
    /// Only those of this event
    #[arg(long, value_name = "EVENT")]
    of: Option<String>,
    /// With --of: those that are switched off, too
    #[arg(long, requires = "of")]
    all: bool,
}

/// Show an event handler
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur event show on-order > on-order.json")]
pub struct Show {
    /// Which
    name: String,
}

/// Forget event handlers
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur event delete on-order")]
pub struct Delete {
    /// Which
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

impl List {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let route = match &self.of {
            Some(event) => Route::new("event").at(event).with("activeOnly", !self.all),
            None => Route::new("event"),
        };
        let answer = desk.client.get(&route)?;
        if desk.json {
            return Ok(desk.raw(&answer));
        }
        let told = parsed(&answer)?;
        let mut table =
            Table::new([left("name"), left("state"), wide("event"), wide("condition"), wide("actions")]);
        for handler in told.as_array().into_iter().flatten() {
            let (paint, state) =
                if handler.truth("active") { (Paint::Good, "▸ active") } else { (Paint::Warn, "‖ off") };
            table.row([
                handler.text("name").into(),
                Cell::new(paint, state),
                handler.text("event").into(),
                handler.text("condition").into(),
                actions(handler).into(),
            ]);
        }
        desk.table(&table, "no event handlers");
        Ok(Exit::Success)
    }
}

impl Show {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let all = desk.client.get_json(&Route::new("event"))?;
        let all = all.as_array().cloned().unwrap_or_default();
        let Some(handler) = all.iter().find(|handler| handler.text("name") == self.name) else {
            let hint = meant(&self.name, all.iter().map(|handler| handler.text("name")));
            let hint = hint.unwrap_or_else(|| "`partitur event list` lists what there is".to_owned());
            return Err(Failure::refused(format!("there is no event handler `{}`", self.name), hint));
        };
        let text = if desk.json { handler.to_string() } else { format!("{handler:#}") };
        Ok(desk.raw(&text))
    }
}

impl Delete {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let tally = Tally::of(&self.names, |name| {
            desk.client.send(Verb::Delete, &Route::new("event").at(name), None).map_err(unknown).map(drop)
        });
        tally?.tell(desk, "is forgotten")
    }
}

fn actions(handler: &Value) -> String {
    let action = |action: &Value| {
        let kind = action.text("action");
        let name = action.get(kind).map(|details| details.text("name")).unwrap_or_default();
        if name.is_empty() { kind.to_owned() } else { format!("{kind} {name}") }
    };
    handler.items("actions").iter().map(action).collect::<Vec<_>>().join(", ")
}

fn unknown(problem: Problem) -> Problem {
    problem.or_hint(|| Some("`partitur event list` lists what there is".to_owned()))
}
