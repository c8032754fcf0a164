//! `partitur event`: what follows from events, and events themselves.

mod handlers;
mod publish;

use clap::Subcommand;

use crate::commands::remote::upload::Upload;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::remote::definitions::Kind;
use crate::remote::{Desk, Remote};
use crate::settings::Global;

/// What follows from events, and events themselves
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur event list
  partitur event upload on-order.json
  partitur event publish conductor:orders:new -i order=4711")]
pub struct Event {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List event handlers
    List(handlers::List),
    /// Show an event handler
    Show(handlers::Show),
    /// Bring event handlers to the server
    #[command(after_help = "Examples:
  partitur event upload on-order.json

A handler is {\"name\": \"on-order\", \"event\": \"conductor:orders:new\", \"active\": true, \"actions\": [{\"action\": \
\"start_workflow\", \"start_workflow\": {\"name\": \"month-end\", \"input\": {\"order\": \"${order}\"}}}]}.")]
    Upload(Upload),
    /// Forget event handlers
    Delete(handlers::Delete),
    /// Publish an event
    Publish(publish::Publish),
}

impl Event {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let desk = Desk::open(&self.remote, global)?;
        match self.action {
            Action::List(list) => list.run(&desk),
            Action::Show(show) => show.run(&desk),
            Action::Upload(upload) => upload.run(&desk, Kind::Handler, global.color),
            Action::Delete(delete) => delete.run(&desk),
            Action::Publish(publish) => publish.run(&desk),
        }
    }
}
