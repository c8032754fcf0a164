//! SWITCH and DECISION.

use partitur_model::Payload;
use partitur_model::definition::{Evaluate, Guard, Kind, Switch};

use super::sequence::{Exit, Graph};
use super::{Lowering, input, node, script};
use crate::TaskType;
use crate::wire::WorkflowTask;

/// Adds a switch with all of its cases. What follows it follows from the end of whichever case was chosen.
pub fn switch(
    graph: &mut Graph,
    lowering: &Lowering<'_>,
    task: &WorkflowTask,
    entries: Vec<Exit>,
    place: &str,
) -> Vec<Exit> {
    let input = input(task);
    let cases = cases(task);
    let names = cases.iter().map(|(case, _)| (*case).clone()).collect();
    let kind = Kind::Switch(Switch { value: value(task, &input), cases: names });
    let switch = graph.follow(node(task, kind, input, place), entries);
    let mut exits = Vec::new();
    for (case, tasks) in cases {
        let place = format!("{place}.decisionCases[{case}]");
        exits.extend(graph.sequence(lowering, tasks, vec![(switch, Guard::Case(case.clone()))], &place));
    }
    let place = format!("{place}.defaultCase");
    exits.extend(graph.sequence(lowering, &task.default_case, vec![(switch, Guard::DefaultCase)], &place));
    // If it is left out, so are its cases.
    exits.push((switch, Guard::Continue));
    exits
}

/// The cases. One without tasks is chosen all the same, except by a DECISION, which takes the default instead.
fn cases(task: &WorkflowTask) -> Vec<(&String, &Vec<WorkflowTask>)> {
    let counts = |tasks: &[WorkflowTask]| !tasks.is_empty() || task.task_type() == TaskType::Switch;
    task.decision_cases
        .0
        .iter()
        .filter(|(_, tasks)| counts(tasks))
        .map(|(case, tasks)| (case, tasks))
        .collect()
}

/// What the case is.
fn value(task: &WorkflowTask, input: &Payload) -> Evaluate {
    let expression = task.expression.as_deref().unwrap_or_default();
    if task.task_type() == TaskType::Decision {
        return match task.case_expression.as_deref().filter(|expression| !expression.trim().is_empty()) {
            Some(expression) => script::fixed_javascript(expression, input.clone()),
            None => script::parameter(input, task.case_value_param.as_deref().unwrap_or_default()),
        };
    }
    match script::language(task.evaluator_type.as_deref()) {
        Some("javascript") => script::fixed_javascript(expression, input.clone()),
        Some(_) | None => script::parameter(input, expression),
    }
}
