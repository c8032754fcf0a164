//! Faults as their authors see them. What Conductor says too, it says in these words under these paths.

use insta::assert_snapshot;

use super::*;
use crate::wire::{self, StartWorkflowRequest, TaskDef, TaskResult, WorkflowDef};

fn shown(faults: Vec<ValidationError>) -> String {
    let line = |fault: &ValidationError| match &fault.invalid_value {
        Some(value) => format!("{}: {} [{value}]\n", fault.path, fault.message),
        None => format!("{}: {}\n", fault.path, fault.message),
    };
    faults.iter().map(line).collect()
}

/// The faults of a workflow with these tasks.
fn faults(tasks: &str) -> String {
    let def: WorkflowDef = wire::read(format!(r#"{{"name":"w","tasks":[{tasks}]}}"#).as_bytes()).unwrap();
    shown(workflow(&def, "registerWorkflowDef.arg0"))
}

/// A task of this type with these further properties.
fn task(kind: &str, name: &str, more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!(r#"{{"name":"{name}","taskReferenceName":"{name}","type":"{kind}"{comma}{more}}}"#)
}

#[test]
fn a_definition_that_is_in_order_has_no_fault() {
    let fork = task("FORK_JOIN", "f", &format!(r#""forkTasks":[[{}]]"#, task("SIMPLE", "b", "")));
    let join = task("JOIN", "j", r#""joinOn":["b"]"#);
    let input =
        r#""inputParameters":{"x":"${b.output.x} ${workflow.input['a b']} $${nobody.x} ${CPEWF_TASK_ID}"}"#;
    assert_eq!(faults(&[task("SIMPLE", "a", input), fork, join].join(",")), "");
}

#[test]
fn the_workflow_itself_is_checked() {
    let def: WorkflowDef = wire::read(br#"{"schemaVersion":1}"#).unwrap();
    assert_snapshot!(shown(workflow(&def, "registerWorkflowDef.arg0")), @r"
    registerWorkflowDef.arg0.name: WorkflowDef name cannot be null or empty
    registerWorkflowDef.arg0.schemaVersion: workflowDef schemaVersion: 2 is only supported [1]
    registerWorkflowDef.arg0.tasks: WorkflowTask list cannot be empty
    ");
}

#[test]
fn every_type_says_what_it_needs() {
    let kinds = [
        "SWITCH",
        "DECISION",
        "DO_WHILE",
        "DYNAMIC",
        "FORK_JOIN",
        "FORK_JOIN_DYNAMIC",
        "HTTP",
        "TERMINATE",
        "SUB_WORKFLOW",
        "JSON_JQ_TRANSFORM",
        "KAFKA_PUBLISH",
        "LLM_CHAT_COMPLETE",
    ];
    let tasks: Vec<String> =
        kinds.iter().map(|kind| task(kind, &format!("t_{}", kind.to_lowercase()), "")).collect();
    assert_snapshot!(faults(&tasks.join(",")), @r"
    registerWorkflowDef.arg0.tasks[0]: evaluatorType field is required for taskType: SWITCH taskName: t_switch
    registerWorkflowDef.arg0.tasks[0]: decisionCases should have atleast one task for taskType: SWITCH taskName: t_switch
    registerWorkflowDef.arg0.tasks[1]: caseValueParam or caseExpression field is required for taskType: DECISION taskName: t_decision
    registerWorkflowDef.arg0.tasks[1]: decisionCases should have atleast one task for taskType: DECISION taskName: t_decision
    registerWorkflowDef.arg0.tasks[2]: loopCondition field is required for taskType: DO_WHILE taskName: t_do_while
    registerWorkflowDef.arg0.tasks[2]: loopOver field is required for taskType: DO_WHILE taskName: t_do_while
    registerWorkflowDef.arg0.tasks[3]: dynamicTaskNameParam field is required for taskType: DYNAMIC taskName: t_dynamic
    registerWorkflowDef.arg0.tasks[4]: forkTasks should have atleast one task for taskType: FORK_JOIN taskName: t_fork_join
    registerWorkflowDef.arg0.tasks[5]: dynamicForkTasksInputParamName field is required for taskType: FORK_JOIN_DYNAMIC taskName: t_fork_join_dynamic
    registerWorkflowDef.arg0.tasks[5]: dynamicForkTasksParam field is required for taskType: FORK_JOIN_DYNAMIC taskName: t_fork_join_dynamic
    registerWorkflowDef.arg0.tasks[6]: inputParameters.http_request or inputParameters.uri field is required for taskType: HTTP taskName: t_http
    registerWorkflowDef.arg0.tasks[7]: terminate task must have an terminationStatus parameter and must be set to COMPLETED or FAILED, taskName: t_terminate
    registerWorkflowDef.arg0.tasks[8]: subWorkflowParam field is required for taskType: SUB_WORKFLOW taskName: t_sub_workflow
    registerWorkflowDef.arg0.tasks[9]: inputParameters.queryExpression field is required for taskType: JSON_JQ_TRANSFORM taskName: t_json_jq_transform
    registerWorkflowDef.arg0.tasks[10].type: KAFKA_PUBLISH is not built in: message queues are not connected [KAFKA_PUBLISH]
    registerWorkflowDef.arg0.tasks[11].type: LLM_CHAT_COMPLETE is not built in: models and their tools are not connected; let a worker do it [LLM_CHAT_COMPLETE]
    registerWorkflowDef.arg0.tasks[4]: a fork must be followed by a JOIN: `t_fork_join` is not
    registerWorkflowDef.arg0.tasks[5]: a fork must be followed by a JOIN: `t_fork_join_dynamic` is not
    ");
}

#[test]
fn faults_are_found_at_every_depth() {
    let bad = |name: &str| task("HTTP", name, "");
    let switch = format!(
        r#""evaluatorType":"value-param","expression":"k","decisionCases":{{"k":[{}]}},"defaultCase":[{}]"#,
        bad("a"),
        bad("b")
    );
    let fork = format!(r#""forkTasks":[[],[{}]]"#, bad("c"));
    let repeat = format!(r#""loopCondition":"","loopOver":[{},{{}}]"#, bad("d"));
    assert_snapshot!(faults(&[task("SWITCH", "s", &switch), task("FORK_JOIN", "f", &fork), task("JOIN", "j", ""), task("DO_WHILE", "l", &repeat)].join(",")), @r"
    registerWorkflowDef.arg0.tasks[0].decisionCases[k].<map value>[0]: inputParameters.http_request or inputParameters.uri field is required for taskType: HTTP taskName: a
    registerWorkflowDef.arg0.tasks[0].defaultCase[0]: inputParameters.http_request or inputParameters.uri field is required for taskType: HTTP taskName: b
    registerWorkflowDef.arg0.tasks[1].forkTasks[1].<list element>[0]: inputParameters.http_request or inputParameters.uri field is required for taskType: HTTP taskName: c
    registerWorkflowDef.arg0.tasks[3].loopOver[0]: inputParameters.http_request or inputParameters.uri field is required for taskType: HTTP taskName: d
    registerWorkflowDef.arg0.tasks[3].loopOver[1].name: WorkflowTask name cannot be empty or null
    registerWorkflowDef.arg0.tasks[3].loopOver[1].taskReferenceName: WorkflowTask taskReferenceName name cannot be empty or null
    ");
}

#[test]
fn expressions_name_what_there_is() {
    let input =
        r#""inputParameters":{"x":"${nope.output.x}","z":{"q":["${a.x} ${c.y}"]},"e":"${}","s":"${ a.x }"}"#;
    assert_snapshot!(faults(&task("SIMPLE", "a", input)), @r"
    registerWorkflowDef.arg0: taskReferenceName: nope for given task: a input value: x of input parameter: ${nope.output.x} is not defined in workflow definition.
    registerWorkflowDef.arg0: taskReferenceName: c for given task: a input value: q of input parameter: ${a.x} ${c.y} is not defined in workflow definition.
    registerWorkflowDef.arg0: key: e input parameter value:  is not valid
    registerWorkflowDef.arg0: key: s input parameter value:  a.x  is not valid
    ");
}

#[test]
fn names_are_unique_in_the_whole_tree() {
    let fork = task("FORK_JOIN", "f", &format!(r#""forkTasks":[[{}]]"#, task("SIMPLE", "a", "")));
    let join = task("JOIN", "j", r#""joinOn":["a"]"#);
    assert_snapshot!(faults(&[task("SIMPLE", "a", ""), fork, join].join(",")), @r"registerWorkflowDef.arg0.tasks[1].forkTasks[0].<list element>[0]: taskReferenceName: a should be unique across tasks for a given workflowDefinition");
}

#[test]
fn what_would_wait_for_ever_is_refused() {
    let fork = task("FORK_JOIN", "f", &format!(r#""forkTasks":[[{}]]"#, task("SIMPLE", "b", "")));
    let alone = task("FORK_JOIN", "g", &format!(r#""forkTasks":[[{}]]"#, task("SIMPLE", "c", "")));
    let join = task("JOIN", "j", r#""joinOn":["b","later","nobody","in_loop"]"#);
    let repeat = task(
        "DO_WHILE",
        "l",
        &format!(r#""loopCondition":"","loopOver":[{}]"#, task("SIMPLE", "in_loop", "")),
    );
    assert_snapshot!(faults(&[repeat, fork, join, task("SIMPLE", "later", ""), alone].join(",")), @r"
    registerWorkflowDef.arg0.tasks[2].joinOn[1]: JOIN `j` would wait for ever: no task `later` stands before it outside of loops [later]
    registerWorkflowDef.arg0.tasks[2].joinOn[2]: JOIN `j` would wait for ever: no task `nobody` stands before it outside of loops [nobody]
    registerWorkflowDef.arg0.tasks[2].joinOn[3]: JOIN `j` would wait for ever: no task `in_loop` stands before it outside of loops [in_loop]
    registerWorkflowDef.arg0.tasks[4]: a fork must be followed by a JOIN: `g` is not
    ");
}

#[test]
fn literals_are_read_when_they_are_registered() {
    let tasks = [
        task("WAIT", "a", r#""inputParameters":{"duration":"1 x"}"#),
        task("WAIT", "b", r#""inputParameters":{"until":"soon"}"#),
        task("WAIT", "c", r#""inputParameters":{"duration":"1 s","until":"2026-11-21"}"#),
        task("WAIT", "d", r#""inputParameters":{"duration":"${workflow.input.d} s"}"#),
        task(
            "TERMINATE",
            "e",
            r#""optional":true,"inputParameters":{"terminationStatus":"${workflow.input.s}"}"#,
        ),
        task("INLINE", "f", r#""inputParameters":{"evaluatorType":"python","expression":"1"}"#),
        task("FORK_JOIN_DYNAMIC", "g", r#""dynamicForkJoinTasksParam":"x","dynamicForkTasksParam":"y""#),
        task("JOIN", "h", ""),
        task(
            "DO_WHILE",
            "i",
            &format!(
                r#""loopCondition":"","inputParameters":{{"keepLastN":"${{workflow.input.k}}"}},"loopOver":[{}]"#,
                task("NOOP", "k", "")
            ),
        ),
    ];
    assert_snapshot!(faults(&tasks.join(",")), @r"
    registerWorkflowDef.arg0.tasks[0]: `1 x` is no duration such as `2 hours 30 minutes 5 seconds`
    registerWorkflowDef.arg0.tasks[1]: `soon` is no date such as `2026-11-21 10:20 UTC`
    registerWorkflowDef.arg0.tasks[2]: Both 'duration' and 'until' specified. Please provide only one input
    registerWorkflowDef.arg0.tasks[4]: terminate task must have an terminationStatus parameter and must be set to COMPLETED or FAILED, taskName: e
    registerWorkflowDef.arg0.tasks[4]: terminate task cannot be optional, taskName: e
    registerWorkflowDef.arg0.tasks[5].evaluatorType: expressions are written in `javascript`, `graaljs` or `value-param` [python]
    registerWorkflowDef.arg0.tasks[6]: dynamicForkJoinTasksParam or combination of dynamicForkTasksInputParamName and dynamicForkTasksParam cam be used for taskType: FORK_JOIN_DYNAMIC taskName: g
    registerWorkflowDef.arg0.tasks[8].inputParameters.keepLastN: keepLastN must be a number [${workflow.input.k}]
    ");
}

#[test]
fn what_is_too_large_is_refused_before_anything_else() {
    let deep = |depth| {
        (0..depth).fold(task("NOOP", "t", ""), |inner, level| {
            task("DO_WHILE", &format!("l{level}"), &format!(r#""loopCondition":"","loopOver":[{inner}]"#))
        })
    };
    assert_eq!(faults(&deep(NESTING_MAX - 1)), "");
    assert_snapshot!(faults(&deep(NESTING_MAX)), @"registerWorkflowDef.arg0.tasks: tasks are nested more than 30 deep");
    let name = "x".repeat(NAME_MAX + 1);
    assert_snapshot!(faults(&task("NOOP", &name, "")), @"registerWorkflowDef.arg0.tasks[0]: names have at most 1000 bytes");
}

#[test]
fn task_definitions_are_checked() {
    let faults = |text: &str| {
        let def: TaskDef = wire::read(text.as_bytes()).unwrap();
        shown(task_def(&def, "registerTaskDef.arg0[0]"))
    };
    assert_eq!(faults(r#"{"name":"q"}"#), "");
    assert_snapshot!(faults(r#"{"retryCount":-1,"pollTimeoutSeconds":-1,"maxRetryDelaySeconds":-1,"backoffJitterMs":-1,"totalTimeoutSeconds":-1,"responseTimeoutSeconds":0,"backoffScaleFactor":0}"#), @r"
    registerTaskDef.arg0[0].name: TaskDef name cannot be null or empty
    registerTaskDef.arg0[0].retryCount: TaskDef retryCount: 0 must be >= 0 [-1]
    registerTaskDef.arg0[0].pollTimeoutSeconds: TaskDef pollTimeoutSeconds: 0 must be >= 0 [-1]
    registerTaskDef.arg0[0].maxRetryDelaySeconds: TaskDef maxRetryDelaySeconds: 0 must be >= 0 [-1]
    registerTaskDef.arg0[0].backoffJitterMs: TaskDef backoffJitterMs: 0 must be >= 0 [-1]
    registerTaskDef.arg0[0].totalTimeoutSeconds: TaskDef totalTimeoutSeconds: 0 must be >= 0 [-1]
    registerTaskDef.arg0[0].responseTimeoutSeconds: TaskDef responseTimeoutSeconds: 0 should be minimum 1 second [0]
    registerTaskDef.arg0[0].backoffScaleFactor: Backoff scale factor. Applicable for LINEAR_BACKOFF [0]
    ");
    assert_snapshot!(faults(r#"{"name":"q","timeoutSeconds":5,"responseTimeoutSeconds":10,"totalTimeoutSeconds":3}"#), @r"
    registerTaskDef.arg0[0]: TaskDef: q responseTimeoutSeconds: 10 must be less than timeoutSeconds: 5
    registerTaskDef.arg0[0]: TaskDef: q timeoutSeconds: 5 must be less than or equal to totalTimeoutSeconds: 3
    ");
}

#[test]
fn requests_are_checked() {
    let start: StartWorkflowRequest = wire::read(
        format!(r#"{{"priority":100,"workflowDef":{{"name":"inl","tasks":[{}]}}}}"#, task("HTTP", "a", ""))
            .as_bytes(),
    )
    .unwrap();
    assert_snapshot!(shown(start_request(&start, "startWorkflow.arg0")), @r"
    startWorkflow.arg0.name: Workflow name cannot be null or empty
    startWorkflow.arg0.priority: priority: 100 should be maximum 99 [100]
    startWorkflow.arg0.workflowDef.tasks[0]: inputParameters.http_request or inputParameters.uri field is required for taskType: HTTP taskName: a
    ");
    assert_snapshot!(shown(task_result(&TaskResult::default(), "updateTask.arg0")), @r"
    updateTask.arg0.taskId: Task ID cannot be null or empty
    updateTask.arg0.workflowInstanceId: Workflow Id cannot be null or empty
    ");
    let handler = wire::EventHandler::default();
    assert_snapshot!(shown(event_handler(&handler, "addEventHandler.arg0")), @r"
    addEventHandler.arg0.event: Missing event location
    addEventHandler.arg0.name: Missing event handler name
    addEventHandler.arg0.actions: No actions specified. Please specify at-least one action
    ");
}

#[test]
fn a_body_of_the_wrong_type_is_refused_with_its_place() {
    let said = |text: &str| wire::read::<WorkflowDef>(text.as_bytes()).unwrap_err().to_string();
    let bodies = [
        r#"{"tasks":[{"startDelay":"x"}]}"#,
        r#"{"tasks":[{"inputParameters":"x"}]}"#,
        r#"{"tasks":"x"}"#,
        r#"{"timeoutPolicy":"FOO"}"#,
        r#"{"tasks":[{"decisionCases":{"a":[{"optional":7.5}]}}]}"#,
        r#"{"name":"#,
        r#"{} {}"#,
    ];
    let said: Vec<String> = bodies.into_iter().map(said).collect();
    assert_snapshot!(said.join("\n"), @r#"
    JSON parse error at `tasks[0].startDelay`: invalid value: string "x", expected a whole number at line 1 column 27
    JSON parse error at `tasks[0].inputParameters`: expected an object, found `"x"` at line 1 column 33
    JSON parse error at `tasks`: invalid type: string "x", expected a sequence at line 1 column 12
    JSON parse error at `timeoutPolicy`: unknown variant `FOO`, expected `TIME_OUT_WF` or `ALERT_ONLY` at line 1 column 22
    JSON parse error at `tasks[0].decisionCases.a[0].optional`: invalid type: floating point `7.5`, expected `true` or `false` at line 1 column 48
    JSON parse error at `name`: EOF while parsing a value at line 1 column 8
    JSON parse error at `.`: trailing characters at line 1 column 4
    "#);
}
