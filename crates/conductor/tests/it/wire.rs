//! What the server sent is read, and written again as it was.

use partitur_conductor::wire::{self, EventHandler, TaskDef, WorkflowDef};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn round_trip<T: DeserializeOwned + Serialize>(text: &str) {
    let recorded: Value = serde_json::from_str(text).unwrap();
    let read: T = wire::read(text.as_bytes()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), recorded);
}

#[test]
fn definitions_and_handlers_survive() {
    round_trip::<WorkflowDef>(include_str!("../recorded/workflow_def.json"));
    round_trip::<WorkflowDef>(include_str!("../recorded/workflow_def_more.json"));
    round_trip::<TaskDef>(include_str!("../recorded/task_def.json"));
    round_trip::<Vec<EventHandler>>(include_str!("../recorded/event_handlers.json"));
}
