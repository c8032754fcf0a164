//! The definitions that are measured, as Conductor reads them.

use std::io;
use std::net::SocketAddr;

use super::line::Line;

/// The reference name of a step.
pub(super) fn step(at: usize) -> String {
    format!("s{at}")
}

/// So many steps, one after the other.
pub(super) fn sequence(name: &str, steps: usize) -> String {
    let tasks: Vec<String> = (0..steps).map(|at| simple(name, &step(at))).collect();
    workflow(name, &tasks.join(","))
}

/// A definition of these tasks.
pub(super) fn workflow(name: &str, tasks: &str) -> String {
    format!("{{\"name\":\"{name}\",\"version\":1,\"schemaVersion\":2,\"tasks\":[{tasks}]}}")
}

/// A task for the workers of this type. It hands on when its run was wanted.
pub(super) fn simple(task_type: &str, reference: &str) -> String {
    format!(
        "{{\"name\":\"{task_type}\",\"taskReferenceName\":\"{reference}\",\"type\":\"SIMPLE\",\
         \"inputParameters\":{{\"at\":\"${{workflow.input.at}}\"}}}}"
    )
}

/// A fork of so many branches of one task each, made when it begins, and its join.
pub(super) fn dynamic_fork(name: &str, branches: u32) -> String {
    let task =
        |at: u32| format!("{{\"name\":\"{name}\",\"taskReferenceName\":\"b{at}\",\"type\":\"SIMPLE\"}}");
    let tasks: Vec<String> = (0..branches).map(task).collect();
    let inputs: Vec<String> = (0..branches).map(|at| format!("\"b{at}\":{{}}")).collect();
    format!(
        "{{\"name\":\"fork\",\"taskReferenceName\":\"fork\",\"type\":\"FORK_JOIN_DYNAMIC\",\
         \"dynamicForkTasksParam\":\"tasks\",\"dynamicForkTasksInputParamName\":\"inputs\",\
         \"inputParameters\":{{\"tasks\":[{}],\"inputs\":{{{}}}}}}},\
         {{\"name\":\"join\",\"taskReferenceName\":\"join\",\"type\":\"JOIN\"}}",
        tasks.join(","),
        inputs.join(","),
    )
}

/// A run that begins and waits: for a worker, a person, or a time.
pub(super) fn waiting(name: &str, kind: &str) -> String {
    let task = match kind {
        "worker" => simple(name, "waits"),
        "person" => "{\"name\":\"waits\",\"taskReferenceName\":\"waits\",\"type\":\"HUMAN\"}".to_owned(),
        _ => "{\"name\":\"waits\",\"taskReferenceName\":\"waits\",\"type\":\"WAIT\",\
              \"inputParameters\":{\"duration\":\"30 days\"}}"
            .to_owned(),
    };
    workflow(name, &task)
}

/// So many iterations of a task; the last is kept.
pub(super) fn repeat(iterations: u32, body: &str) -> String {
    format!(
        "{{\"name\":\"loop\",\"taskReferenceName\":\"loop\",\"type\":\"DO_WHILE\",\
         \"inputParameters\":{{\"keepLastN\":2}},\
         \"loopCondition\":\"if ($.loop['iteration'] < {iterations}) {{ true; }} else {{ false; }}\",\
         \"loopOver\":[{body}]}}"
    )
}

/// A variable is set to the number of the iteration.
pub(super) fn set_variable() -> &'static str {
    "{\"name\":\"set\",\"taskReferenceName\":\"set\",\"type\":\"SET_VARIABLE\",\
     \"inputParameters\":{\"n\":\"${loop.output.iteration}\"}}"
}

/// Registers it.
pub(super) fn teach(address: SocketAddr, definition: &str) -> io::Result<()> {
    Line::open(address)?.demand("POST", "/api/metadata/workflow?overwrite=true", definition)
}
