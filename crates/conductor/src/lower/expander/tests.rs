use insta::assert_snapshot;

use super::*;
use crate::freeze::NoTaskDefs;
use crate::wire::TaskDef;

struct Registered;

impl TaskDefs for Registered {
    fn task_def(&self, name: &str) -> Option<TaskDef> {
        (name == "known").then(|| TaskDef { name: name.to_owned(), retry_count: 9, ..TaskDef::default() })
    }
}

/// The branches of a task over an input, one a line, or why there are none.
fn branches_of(task: &str, is_first: bool, input: &str) -> String {
    let task = wire::read(task.as_bytes()).unwrap();
    let fork = DynamicFork { task, is_first, defs: Arc::new(NoTaskDefs) };
    shown(fork.branches(&Payload::parse(input).unwrap()))
}

fn shown(branches: Result<Vec<Branch>, TaskError>) -> String {
    let line = |branch: Branch| {
        let nodes: Vec<String> = branch
            .scope
            .nodes
            .iter()
            .map(|node| {
                let kind = format!("{:?}", node.kind);
                let kind = kind.split(['(', ' ']).next().unwrap_or_default().to_owned();
                let optional = if node.optional { " optional" } else { "" };
                format!("{} {kind}{optional} {:?}", node.name, node.input.as_ref().unwrap().0)
            })
            .collect();
        format!("{}: {}\n", branch.last, nodes.join("; "))
    };
    match branches {
        Ok(branches) => branches.into_iter().map(line).collect(),
        Err(error) => format!("{} {}", error.code, error.message),
    }
}

const FORK: &str = r#"{"name":"df","taskReferenceName":"df","type":"FORK_JOIN_DYNAMIC"}"#;
const PAIR: &str = r#"{"name":"df","taskReferenceName":"df","type":"FORK_JOIN_DYNAMIC","optional":true,
    "dynamicForkTasksParam":"t","dynamicForkTasksInputParamName":"i"}"#;
const OLD: &str =
    r#"{"name":"df","taskReferenceName":"df","type":"FORK_JOIN_DYNAMIC","dynamicForkJoinTasksParam":"d"}"#;

#[test]
fn inputs_of_one_kind_make_a_branch_each() {
    let input = r#"{"forkTaskName":"s","forkTaskInputs":[{"p":"${x}"},7]}"#;
    assert_snapshot!(branches_of(FORK, true, input), @r#"
    _s_0: _s_0 Remote {"p":"$${x}","__index":0}
    _s_1: _s_1 Remote {"input":7,"__index":1}
    "#);
    assert_snapshot!(branches_of(FORK, false, input), @r#"
    _df_s_0: _df_s_0 Remote {"p":"$${x}","__index":0}
    _df_s_1: _df_s_1 Remote {"input":7,"__index":1}
    "#);
}

#[test]
fn branches_of_one_kind_may_be_system_tasks_or_workflows() {
    let system = r#"{"forkTaskType":"SET_VARIABLE","forkTaskInputs":[{"p":1,"optional":true}]}"#;
    assert_snapshot!(branches_of(FORK, true, system), @r#"_SET_VARIABLE_0: _SET_VARIABLE_0 SetVariables optional {"p":1,"optional":true,"__index":0}"#);
    let workflow = r#"{"forkTaskWorkflow":"child","forkTaskWorkflowVersion":"2","forkTaskInputs":[{"p":1,"taskToDomain":{"s":"d"}}]}"#;
    assert_snapshot!(branches_of(FORK, true, workflow), @r#"_df_0: _df_0 SubRun {"subWorkflowDefinition":null,"workflowInput":{"p":1,"taskToDomain":{"s":"d"},"__index":0},"subWorkflowTaskToDomain":{"s":"d"},"idempotencyKey":null,"subWorkflowName":"child","priority":null,"subWorkflowVersion":2,"idempotencyStrategy":null}"#);
}

#[test]
fn tasks_and_inputs_are_brought_together() {
    let input = r#"{"t":[{"name":"s","taskReferenceName":"x1","inputParameters":{"a":"${w}","b":0}},
        {"name":"h","taskReferenceName":"x2","type":"HTTP"}],
        "i":{"x1":{"b":"${w}"},"x2":{"uri":"http://x"}}}"#;
    assert_snapshot!(branches_of(PAIR, true, input), @r#"
    x1: x1 Remote optional {"a":"${w}","b":"$${w}"}
    x2: x2 Remote optional {"uri":"http://x","asyncComplete":false}
    "#);
}

#[test]
fn the_old_form_names_tasks_and_workflows() {
    let input = r#"{"d":{"dynamicTasks":[{"taskName":"s","referenceName":"r1","input":{"a":1}},
        {"workflowName":"child","referenceName":"r2"}]}}"#;
    assert_snapshot!(branches_of(OLD, true, input), @r#"
    r1: r1 Remote {"a":1}
    r2: r2 SubRun {"subWorkflowDefinition":null,"workflowInput":{},"subWorkflowTaskToDomain":null,"idempotencyKey":null,"subWorkflowName":"child","priority":null,"subWorkflowVersion":null,"idempotencyStrategy":null}
    "#);
}

#[test]
fn no_input_is_no_branch() {
    assert_eq!(branches_of(FORK, true, r#"{"forkTaskInputs":[]}"#), "");
    assert_eq!(branches_of(PAIR, true, r#"{"t":[],"i":{}}"#), "");
}

#[test]
fn input_that_makes_no_sense_is_refused_with_a_reason() {
    let cases = [
        (FORK, r#"{"forkTaskInputs":{"a":1}}"#),
        (PAIR, r#"{}"#),
        (PAIR, r#"{"t":[{"taskReferenceName":"x","name":"x"}]}"#),
        (PAIR, r#"{"t":[{"name":"x"}],"i":{}}"#),
        (PAIR, r#"{"t":[5],"i":{}}"#),
        (PAIR, r#"{"t":[{"name":"x","taskReferenceName":"x"},{"name":"y","taskReferenceName":"x"}],"i":{}}"#),
        (PAIR, r#"{"t":[{"name":"x","taskReferenceName":"x","type":"KAFKA_PUBLISH"}],"i":{}}"#),
        (OLD, r#"{"d":[]}"#),
    ];
    let shown: Vec<String> = cases.iter().map(|(task, input)| branches_of(task, true, input)).collect();
    assert_snapshot!(shown.join("\n"), @r"
    expansion `forkTaskInputs` is no list
    expansion `t` is no list
    expansion `i` is no object of the inputs of the branches
    expansion `t[0]` has no `taskReferenceName`
    expansion `t[0]` is no task: JSON parse error at `.`: invalid type: integer `5`, expected struct WorkflowTask at line 1 column 1
    expansion two branches are called `x`
    expansion branch `x`: tasks[0].type: KAFKA_PUBLISH is not built in: message queues are not connected
    expansion `d` holds no `dynamicTasks`
    ");
}

#[test]
fn a_dynamic_task_becomes_what_its_input_names() {
    let dynamic =
        r#"{"name":"d","taskReferenceName":"d","type":"DYNAMIC","dynamicTaskNameParam":"n","retryCount":2}"#;
    let task = DynamicTask { task: wire::read(dynamic.as_bytes()).unwrap(), defs: Arc::new(Registered) };
    let branches = |input: &str| shown(task.branches(&Payload::parse(input).unwrap()));
    assert_snapshot!(branches(r#"{"n":"work","a":1}"#), @r#"d: d Remote {"n":"work","a":1}"#);
    assert_snapshot!(branches(r#"{"n":"NOOP"}"#), @"d: d Noop {}");
    assert_snapshot!(branches(r#"{"n":null}"#), @"expansion `n` names no task");
}

#[test]
fn branches_obey_the_definitions_of_their_tasks() {
    let fork = DynamicFork {
        task: wire::read(FORK.as_bytes()).unwrap(),
        is_first: true,
        defs: Arc::new(Registered),
    };
    let attempts = |name: &str| {
        let input = format!(r#"{{"forkTaskName":"{name}","forkTaskInputs":[1]}}"#);
        let branches = fork.branches(&Payload::parse(&input).unwrap()).unwrap();
        branches[0].scope.nodes[0].retry.as_ref().unwrap().attempts
    };
    assert_eq!((attempts("known"), attempts("unknown")), (10, 4));
}
