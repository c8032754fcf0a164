//! What is run: definitions of every shape, and what each run must yield when nothing is lost and nothing done twice.
//!
//! Each task of a worker adds one to the number that it is given, and says under which mark it was done. The next task is
//! given both: so a number that is too high was counted twice, one too low was lost, and a mark tells whose result it is.

use partitur_tests::Dice;
use serde_json::{Value, json};

/// The queues of the workers.
pub const QUEUES: [&str; 3] = ["red", "green", "blue"];

/// The queue of which only so many tasks are in the hands of workers at a time.
pub const LIMITED: &str = QUEUES[2];
pub const LIMIT: usize = 4;

/// The shapes of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One task after the other.
    Chain,
    /// Branches that are joined.
    Fork,
    /// Branches that the input names.
    DynamicFork,
    /// A task again and again.
    Loop,
    /// A run within the run.
    Sub,
    /// One way of several.
    Switch,
    /// A run that fails, and another one after it.
    Failing,
    /// Somebody has to say something, and some time has to pass.
    Waits,
    /// A task that fails some times.
    Fragile,
    /// A task that fails until somebody wants the run to be tried again.
    Revived,
    /// A run that starts another one.
    Starts,
    /// A run that ends before its last task.
    Ends,
    /// The server itself asks another one.
    Calls,
}

/// All of them.
pub const KINDS: [Kind; 13] = [
    Kind::Chain,
    Kind::Fork,
    Kind::DynamicFork,
    Kind::Loop,
    Kind::Sub,
    Kind::Switch,
    Kind::Failing,
    Kind::Waits,
    Kind::Fragile,
    Kind::Revived,
    Kind::Starts,
    Kind::Ends,
    Kind::Calls,
];

/// What a run is given.
#[derive(Clone, Debug)]
pub struct Given {
    /// From where is counted.
    pub number: i64,
    /// So many branches, iterations, failures.
    pub times: i64,
}

impl Given {
    /// Something of this kind.
    pub fn random(dice: &mut Dice) -> Given {
        Given { number: dice.below(1_000) as i64, times: dice.between(1, 3) as i64 }
    }
}

impl Kind {
    /// The name of its workflow.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Chain => "chain",
            Kind::Fork => "fork",
            Kind::DynamicFork => "dynamic-fork",
            Kind::Loop => "loop",
            Kind::Sub => "sub",
            Kind::Switch => "switch",
            Kind::Failing => "failing",
            Kind::Waits => "waits",
            Kind::Fragile => "fragile",
            Kind::Revived => "revived",
            Kind::Starts => "starts",
            Kind::Ends => "ends",
            Kind::Calls => "calls",
        }
    }

    /// What its runs are given.
    pub fn input(self, given: &Given) -> Value {
        let mut input = json!({ "n": given.number, "times": given.times });
        match self {
            Kind::DynamicFork => {
                let name = |at: i64| format!("d{at}");
                let task = |at: i64| json!({"name": QUEUES[at as usize % 3], "taskReferenceName": name(at), "type": "SIMPLE"});
                input["tasks"] = (0..given.times).map(task).collect();
                let inputs = (0..given.times).map(|at| (name(at), json!({ "n": given.number })));
                input["inputs"] = Value::Object(inputs.collect());
            }
            Kind::Calls => input["at"] = json!(crate::target::address().to_string()),
            Kind::Switch => input["way"] = json!(["none", "short", "long", "other"][given.times as usize]),
            Kind::Chain
            | Kind::Fork
            | Kind::Loop
            | Kind::Sub
            | Kind::Failing
            | Kind::Waits
            | Kind::Fragile
            | Kind::Revived
            | Kind::Starts
            | Kind::Ends => {}
        }
        input
    }

    /// What they yield in the end; what marks and words are in it is looked at elsewhere.
    pub fn output(self, given: &Given) -> Value {
        let Given { number: n, times } = *given;
        match self {
            Kind::Chain => json!({ "n": n + 4 }),
            Kind::Fork => json!({ "b": n + 3, "c": n + 2, "n": n + 4 }),
            Kind::DynamicFork => json!({ "sum": times * (n + 1), "n": n + 1 }),
            Kind::Loop => json!({ "n": n + times + 1 }),
            Kind::Sub => json!({ "n": n + 6 }),
            Kind::Switch => match times {
                1 => json!({ "b": n + 1, "c": null, "n": n + 1 }),
                2 => json!({ "b": null, "c": n + 2, "n": n + 1 }),
                _ => json!({ "b": null, "c": null, "n": n + 1 }),
            },
            Kind::Failing => json!(null),
            Kind::Waits => json!({ "twice": 2 * (n + 1), "n": n + 2 }),
            Kind::Fragile | Kind::Revived | Kind::Calls => json!({ "n": n + 3 }),
            Kind::Starts => json!({ "n": n + 1 }),
            Kind::Ends => json!({ "n": n + 1 }),
        }
    }

    /// How they end.
    pub fn status(self) -> &'static str {
        match self {
            Kind::Failing => "FAILED",
            Kind::Chain
            | Kind::Fork
            | Kind::DynamicFork
            | Kind::Loop
            | Kind::Sub
            | Kind::Switch
            | Kind::Waits
            | Kind::Fragile
            | Kind::Revived
            | Kind::Starts
            | Kind::Ends
            | Kind::Calls => "COMPLETED",
        }
    }

    /// The last task of its runs, if it is a worker's and nothing else may happen in its stead.
    pub fn last(self) -> Option<&'static str> {
        match self {
            Kind::Fork
            | Kind::DynamicFork
            | Kind::Loop
            | Kind::Sub
            | Kind::Switch
            | Kind::Waits
            | Kind::Fragile
            | Kind::Calls => Some("z"),
            Kind::Chain | Kind::Failing | Kind::Revived | Kind::Starts | Kind::Ends => None,
        }
    }

    fn tasks(self) -> Value {
        match self {
            Kind::Calls => json!([
                first("a", 0),
                {
                    "name": "call", "taskReferenceName": "call", "type": "HTTP",
                    "inputParameters": {"http_request": {
                        "uri": "http://${workflow.input.at}/plus?n=${a.output.n}", "method": "GET",
                    }},
                },
                simple("z", 2, "${call.output.response.body.n}", "${a.output.mark}"),
            ]),
            Kind::Chain => json!([first("a", 0), after("b", 1, "a"), after("c", 2, "b"), after("d", 0, "c")]),
            Kind::Fork => json!([
                first("a", 0),
                fork(
                    "f",
                    json!([
                        [after("b1", 1, "a"), after("b2", 2, "b1")],
                        [after("c1", 0, "a")],
                        [after("e1", 1, "a")]
                    ])
                ),
                join(&["b2", "c1", "e1"]),
                simple("z", 2, "${join.output.b2.n}", "${join.output.b2.mark}"),
            ]),
            Kind::DynamicFork => json!([
                {
                    "name": "f", "taskReferenceName": "f", "type": "FORK_JOIN_DYNAMIC",
                    "dynamicForkTasksParam": "tasks", "dynamicForkTasksInputParamName": "inputs",
                    "inputParameters": {"tasks": "${workflow.input.tasks}", "inputs": "${workflow.input.inputs}"},
                },
                join(&[]),
                {
                    "name": "sum", "taskReferenceName": "sum", "type": "JSON_JQ_TRANSFORM",
                    "inputParameters": {"queryExpression": "[.all[] | .n] | add", "all": "${join.output}"},
                },
                first("z", 0),
            ]),
            Kind::Loop => json!([
                set(json!({ "n": "${workflow.input.n}" }), "begin"),
                {
                    "name": "loop", "taskReferenceName": "loop", "type": "DO_WHILE",
                    "inputParameters": {"times": "${workflow.input.times}"},
                    "loopCondition": "if ($.loop['iteration'] < $.times) { true; } else { false; }",
                    "loopOver": [
                        simple("again", 1, "${workflow.variables.n}", "${workflow.variables.mark}"),
                        set(json!({ "n": "${again.output.n}", "mark": "${again.output.mark}" }), "keep"),
                    ],
                },
                simple("z", 2, "${workflow.variables.n}", "${workflow.variables.mark}"),
            ]),
            Kind::Sub => json!([
                first("a", 0),
                {
                    "name": "inner", "taskReferenceName": "inner", "type": "SUB_WORKFLOW",
                    "subWorkflowParam": {"name": "chain", "version": 1},
                    "inputParameters": {"n": "${a.output.n}"},
                },
                simple("z", 1, "${inner.output.n}", "${inner.output.mark}"),
            ]),
            Kind::Switch => json!([
                {
                    "name": "way", "taskReferenceName": "way", "type": "SWITCH", "evaluatorType": "value-param",
                    "expression": "way", "inputParameters": {"way": "${workflow.input.way}"},
                    "decisionCases": {"short": [first("b", 0)], "long": [first("c1", 1), after("c2", 2, "c1")]},
                    "defaultCase": [],
                },
                first("z", 0),
            ]),
            Kind::Failing => json!([first("a", 0), told("doomed", "a", "always")]),
            Kind::Waits => json!([
                first("a", 0),
                {"name": "word", "taskReferenceName": "word", "type": "WAIT"},
                {"name": "while", "taskReferenceName": "while", "type": "WAIT", "inputParameters": {"duration": "1 seconds"}},
                {
                    "name": "twice", "taskReferenceName": "twice", "type": "INLINE",
                    "inputParameters": {"evaluatorType": "javascript", "n": "${a.output.n}", "expression": "(function(){ var s = 0; for (var i = 0; i < 2; i++) s += $.n; return s; })()"},
                },
                {"name": "hand", "taskReferenceName": "hand", "type": "HUMAN"},
                after("z", 1, "a"),
            ]),
            Kind::Fragile => json!([first("a", 0), told("fragile", "a", "times"), after("z", 2, "fragile")]),
            Kind::Revived => {
                json!([first("a", 0), told("doomed", "a", "until-wanted"), after("z", 2, "doomed")])
            }
            Kind::Starts => json!([
                {
                    "name": "other", "taskReferenceName": "other", "type": "START_WORKFLOW",
                    "inputParameters": {"startWorkflow": {
                        "name": "chain", "version": 1, "input": {"n": "${workflow.input.n}"},
                        "correlationId": "started-${workflow.workflowId}",
                    }},
                },
                first("z", 1),
            ]),
            Kind::Ends => json!([
                first("a", 0),
                {
                    "name": "end", "taskReferenceName": "end", "type": "TERMINATE",
                    "inputParameters": {"terminationStatus": "COMPLETED", "workflowOutput": {"n": "${a.output.n}"}},
                },
                after("never", 1, "a"),
            ]),
        }
    }

    fn outputs(self) -> Value {
        match self {
            Kind::Chain => json!({ "n": "${d.output.n}", "mark": "${d.output.mark}" }),
            Kind::Fork => json!({ "b": "${b2.output.n}", "c": "${c1.output.n}", "n": "${z.output.n}" }),
            Kind::DynamicFork => json!({ "sum": "${sum.output.result}", "n": "${z.output.n}" }),
            Kind::Switch => {
                json!({ "b": "${b.output.n}", "c": "${c2.output.n}", "n": "${z.output.n}" })
            }
            Kind::Waits => json!({
                "twice": "${twice.output.result}", "n": "${z.output.n}",
                "word": "${word.output.word}", "hand": "${hand.output.word}",
            }),
            Kind::Loop | Kind::Sub | Kind::Fragile | Kind::Revived | Kind::Starts | Kind::Calls => {
                json!({ "n": "${z.output.n}" })
            }
            Kind::Failing => json!({}),
            Kind::Ends => json!({ "n": "${a.output.n}" }),
        }
    }

    fn definition(self) -> Value {
        let mut outputs = self.outputs();
        outputs["told"] = json!("${workflow.variables.told}");
        let mut definition = workflow(self.name(), self.tasks(), outputs);
        if self == Kind::Failing {
            definition["failureWorkflow"] = json!("after");
        }
        definition
    }
}

/// All workflows that are registered.
pub fn workflows() -> Vec<Value> {
    let after = json!([simple("a", 0, "${workflow.input.n}", "")]);
    let after = workflow("after", after, json!({ "n": "${a.output.n}" }));
    KINDS.iter().map(|kind| kind.definition()).chain([after]).collect()
}

/// The definitions of the workers' tasks: whoever is silent for a second has lost his task, and it is tried again.
pub fn tasks() -> Value {
    let task = |name: &str| {
        json!({
            "name": name, "retryCount": 1000, "retryLogic": "FIXED", "retryDelaySeconds": 0,
            "timeoutSeconds": 0, "responseTimeoutSeconds": 1, "timeoutPolicy": "RETRY", "ownerEmail": "a@b.cd",
        })
    };
    let mut all: Vec<Value> = QUEUES.iter().map(|name| task(name)).collect();
    all[0]["retryDelaySeconds"] = json!(1);
    all[2]["concurrentExecLimit"] = json!(LIMIT);
    json!(all)
}

fn workflow(name: &str, tasks: Value, outputs: Value) -> Value {
    json!({
        "name": name, "version": 1, "schemaVersion": 2, "ownerEmail": "a@b.cd",
        "tasks": tasks, "outputParameters": outputs,
    })
}

/// A worker's task of this queue.
fn simple(reference: &str, queue: usize, n: &str, mark: &str) -> Value {
    json!({
        "name": QUEUES[queue], "taskReferenceName": reference, "type": "SIMPLE",
        "inputParameters": {"n": n, "from": mark},
    })
}

/// One that begins with what the run was given.
fn first(reference: &str, queue: usize) -> Value {
    simple(reference, queue, "${workflow.input.n}", "")
}

/// One that goes on where another has ended.
fn after(reference: &str, queue: usize, before: &str) -> Value {
    simple(reference, queue, &format!("${{{before}.output.n}}"), &format!("${{{before}.output.mark}}"))
}

/// One that is told to fail.
fn told(reference: &str, before: &str, fails: &str) -> Value {
    let mut task = after(reference, 1, before);
    task["inputParameters"]["fails"] = json!(fails);
    task["inputParameters"]["times"] = json!("${workflow.input.times}");
    task
}

fn fork(reference: &str, branches: Value) -> Value {
    json!({"name": reference, "taskReferenceName": reference, "type": "FORK_JOIN", "forkTasks": branches})
}

fn join(on: &[&str]) -> Value {
    json!({"name": "join", "taskReferenceName": "join", "type": "JOIN", "joinOn": on})
}

fn set(variables: Value, reference: &str) -> Value {
    json!({"name": "set", "taskReferenceName": reference, "type": "SET_VARIABLE", "inputParameters": variables})
}
