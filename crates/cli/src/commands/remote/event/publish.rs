//! `partitur event publish`.
//!
//! The protocol has one door for events: the EVENT task of a run. So a run of one such task is started, under a definition
//! that comes with it and is registered nowhere.

use std::time::{Duration, Instant};

use partitur_model::Payload;
use serde_json::Value;

use crate::commands::remote::workflow::start::id_of;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::remote::given::Input;
use crate::remote::{Desk, Route, Told as _, Verb, parsed, run_exit, run_has_ended};

/// The name of the run, where the event does not say it.
const NAME: &str = "event-publish";
/// Until then it is published, or not.
const PATIENCE: Duration = Duration::from_secs(30);

/// Publish an event
///
/// Starts a run of one EVENT task and waits for its end.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur event publish conductor:orders:new -i order=4711
  partitur event publish kafka:orders --input-file order.json

`conductor:NAME:WORD` is what the run NAME publishes with the sink `conductor:WORD`. Whatever else stands before the first \
colon must be known to the server.")]
pub struct Publish {
    /// Which event, as handlers name it
    event: String,
    #[command(flatten)]
    input: Input,
}

impl Publish {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let request = request(&self.event, self.input.object()?)?;
        let id = id_of(&desk.client.send(Verb::Post, &Route::new("workflow"), Some(request))?);
        let until = Instant::now() + PATIENCE;
        let route = Route::new("workflow").at(&id).with("includeTasks", true);
        let (answer, run) = loop {
            let answer = desk.client.get(&route)?;
            let run = parsed(&answer)?;
            if run_has_ended(run.text("status")) {
                break (answer, run);
            }
            if Instant::now() > until {
                let hint = format!("`partitur workflow watch {id}` waits longer");
                return Err(Failure::refused(format!("the run {id} has not published it yet"), hint));
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        let exit = run_exit(run.text("status"));
        if desk.json {
            desk.raw(&answer);
        } else if exit == Exit::Success {
            let task =
                run.items("tasks").first().and_then(|task| task.get("outputData")).unwrap_or(&Value::Null);
            desk.say(&format!("{} is published by run {id}", task.text("event_produced")));
        } else {
            let message = format!("it was not published: {}", run.text("reasonForIncompletion"));
            return Err(Failure::refused(
                message,
                format!("`partitur workflow show {id}` shows what happened"),
            ));
        }
        Ok(exit)
    }
}

/// A run that publishes it.
fn request(event: &str, input: Option<Payload>) -> Result<String, Failure> {
    let (name, sink) = match event.split(':').collect::<Vec<_>>()[..] {
        ["conductor", name, word] if !name.is_empty() && !word.is_empty() => {
            (name, format!("conductor:{word}"))
        }
        ["conductor", ..] | [_] => {
            let hint = "write it as handlers do: `conductor:NAME:WORD`, `kafka:TOPIC`, `sqs:QUEUE`";
            return Err(Failure::usage(format!("`{event}` is no event"), hint));
        }
        _ => (NAME, event.to_owned()),
    };
    let text = Payload::string;
    let input = input.unwrap_or_else(|| Payload::object::<&str>([]));
    let names: Vec<_> = input.entries().unwrap_or_default().into_iter().map(|(name, _)| name).collect();
    // The payload is the run's input: what looks like an expression in it is not evaluated there.
    let parameters = names.iter().map(|name| (name.clone(), text(&format!("${{workflow.input['{name}']}}"))));
    let task = Payload::object([
        ("name", text("publish")),
        ("taskReferenceName", text("publish")),
        ("type", text("EVENT")),
        ("sink", text(&sink)),
        ("inputParameters", Payload::object(parameters)),
    ]);
    let definition = Payload::object([
        ("name", text(name)),
        ("version", Payload::from(1_u64)),
        ("schemaVersion", Payload::from(2_u64)),
        ("tasks", Payload::list([task])),
    ]);
    let parts = [("name", text(name)), ("input", input), ("workflowDef", definition)];
    Ok(Payload::object(parts).render())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_what_a_run_of_that_name_publishes() {
        let input = Payload::parse(r#"{"order": 4711}"#).unwrap();
        insta::assert_snapshot!(request("conductor:orders:new", Some(input)).unwrap(), @r#"
        {"name":"orders","input":{"order": 4711},"workflowDef":{"name":"orders","version":1,"schemaVersion":2,"tasks":[{"name":"publish","taskReferenceName":"publish","type":"EVENT","sink":"conductor:new","inputParameters":{"order":"${workflow.input['order']}"}}]}}
        "#);
        assert!(request("kafka:orders", None).unwrap().contains(r#""sink":"kafka:orders""#));
        for wrong in ["orders", "conductor", "conductor:orders", "conductor::x"] {
            assert!(request(wrong, None).is_err(), "{wrong}");
        }
    }
}
