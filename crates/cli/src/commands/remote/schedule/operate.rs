//! `partitur schedule pause`, `resume` and `delete`. Each takes many.

use super::unknown;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::remote::{Desk, Route, Tally, Verb};

/// Start nothing more
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur schedule pause nightly --reason 'stocktaking'")]
pub struct Pause {
    /// Which
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Let paused schedules go on
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur schedule resume nightly")]
pub struct Resume {
    /// Which
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

/// Forget schedules
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur schedule delete nightly")]
pub struct Delete {
    /// Which
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

impl Pause {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let tally = Tally::of(&self.names, |name| {
            let route = at(name).then("pause").with_some("reason", self.reason.as_ref());
            desk.client.send(Verb::Put, &route, None).map_err(unknown).map(drop)
        });
        tally?.tell(desk, "is paused")
    }
}

impl Resume {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let tally = Tally::of(&self.names, |name| {
            desk.client.send(Verb::Put, &at(name).then("resume"), None).map_err(unknown).map(drop)
        });
        tally?.tell(desk, "goes on")
    }
}

impl Delete {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let tally = Tally::of(&self.names, |name| {
            desk.client.send(Verb::Delete, &at(name), None).map_err(unknown).map(drop)
        });
        tally?.tell(desk, "is forgotten")
    }
}

fn at(name: &str) -> Route {
    Route::new("scheduler/schedules").at(name)
}
