//! Loops: conditions, lists, what is kept, nesting, and going back into them.

use partitur_model::Payload;
use partitur_model::definition::{Kind, Node, OnFailure, Template, TemplateTree};

use crate::lab::Lab;
use crate::script::*;

#[test]
fn a_loop_goes_on_while_its_condition_holds() {
    check(
        flow(graph("poll -> z", vec![repeat("poll", "ask.output.more", graph("ask -> note", vec![]))])),
        "dispatch poll#1/ask#1",
        r#"1s poll#1/ask ok {"more":true} => poll#1/ask succeeded, dispatch poll#1/note#1
           2s poll#1/note ok => poll#1/note succeeded, dispatch poll#2/ask#1
           3s poll#2/ask ok {"more":false} => poll#2/ask succeeded, dispatch poll#2/note#1
           4s poll#2/note ok => poll#2/note succeeded, poll succeeded, dispatch z#1
           5s z ok => z succeeded, run succeeded"#,
    );
}

#[test]
fn only_the_last_iterations_are_kept() {
    let poll =
        looping(repeat("poll", "ask.output.more", graph("ask", vec![])), |poll| poll.keep_last = Some(2));
    let mut definition = flow(graph("poll -> z", vec![poll]));
    definition.outputs = vec![("polls".into(), Template("${poll.output}".into()))];
    let mut lab = Lab::new();
    lab.submit(definition);
    for iteration in 1..=3 {
        lab.text_input(&format!(r#"poll#{iteration}/ask ok {{"more":true,"n":{iteration}}}"#));
    }
    lab.script(
        r#"1s poll#4/ask ok {"more":false,"n":4} => poll#4/ask succeeded, poll succeeded, dispatch z#1
           2s z ok => z succeeded, run succeeded"#,
    );
    assert_eq!(
        lab.output(1),
        r#"{"polls":{"iteration":4,"3":{"ask":{"more":true,"n":3}},"4":{"ask":{"more":false,"n":4}}}}"#
    );
    assert_eq!(lab.rows.tasks.len(), 4, "two iterations, the loop and z");
}

#[test]
fn loops_nest_and_end_inside_out() {
    let inner = repeat_over("inner", r#"["x","y"]"#, graph("work", vec![]));
    let outer = repeat_over("outer", "[1,2]", graph("first -> inner", vec![task("first"), inner]));
    check(
        flow(graph("outer -> z", vec![outer])),
        "dispatch outer#1/first#1",
        "1s outer#1/first ok => outer#1/first succeeded, dispatch outer#1/inner#1/work#1
         2s outer#1/inner#1/work ok => outer#1/inner#1/work succeeded, dispatch outer#1/inner#2/work#1
         3s outer#1/inner#2/work ok => outer#1/inner#2/work succeeded, outer#1/inner succeeded, dispatch outer#2/first#1
         4s outer#2/first ok => outer#2/first succeeded, dispatch outer#2/inner#1/work#1
         5s outer#2/inner#1/work ok => outer#2/inner#1/work succeeded, dispatch outer#2/inner#2/work#1
         6s outer#2/inner#2/work ok => outer#2/inner#2/work succeeded, outer#2/inner succeeded, outer succeeded, dispatch z#1
         7s z ok => z succeeded, run succeeded",
    );
}

#[test]
fn a_loop_that_does_not_end_fails() {
    let poll =
        looping(repeat("poll", "ask.output.more", graph("ask", vec![])), |poll| poll.iterations_max = 2);
    check(
        flow(graph("poll -> z", vec![poll])),
        "dispatch poll#1/ask#1",
        r#"1s poll#1/ask ok {"more":true} => poll#1/ask succeeded, dispatch poll#2/ask#1
           2s poll#2/ask ok {"more":true} => poll#2/ask succeeded, poll failed, z skipped, run failed
           3s retry => dispatch poll#1/ask#1"#,
    );
}

#[test]
fn a_loop_over_nothing_succeeds_and_one_over_no_list_fails() {
    let nothing = repeat_over("nothing", "[]", graph("work", vec![]));
    let nonsense = repeat_over("nonsense", r#""${inputs.missing}""#, graph("work", vec![]));
    check(
        flow(graph("nothing -> y, nonsense -> z", vec![nothing, nonsense])),
        "nothing succeeded, nonsense failed, z skipped, dispatch y#1",
        "1s y ok => y succeeded, run failed",
    );
}

#[test]
fn a_failed_iteration_is_retried_in_place() {
    let both = repeat_over("both", "[1,2]", graph("p -> q", vec![]));
    check(
        flow(graph("both -> z", vec![both])),
        "dispatch both#1/p#1",
        "1s both#1/p ok => both#1/p succeeded, dispatch both#1/q#1
         2s both#1/q ok => both#1/q succeeded, dispatch both#2/p#1
         3s both#2/p fail => both#2/p failed, both#2/q skipped, both failed, z skipped, run failed
         4s retry => dispatch both#2/p#1
         5s both#2/p ok => both#2/p succeeded, dispatch both#2/q#1
         6s both#2/q ok => both#2/q succeeded, both succeeded, dispatch z#1
         7s z ok => z succeeded, run succeeded",
    );
}

#[test]
fn rerunning_an_earlier_iteration_forgets_the_later_ones() {
    let fork = each("fork", r#"["x"]"#, graph("work", vec![]));
    let both = repeat_over("both", "[1,2]", graph("fork", vec![fork]));
    check(
        flow(graph("both -> z", vec![both])),
        "dispatch both#1/fork[x]/work#1",
        "1s both#1/fork[x]/work ok => both#1/fork[x]/work succeeded, both#1/fork succeeded, dispatch both#2/fork[x]/work#1
         2s both#2/fork[x]/work ok => both#2/fork[x]/work succeeded, both#2/fork succeeded, both succeeded, dispatch z#1
         3s z ok => z succeeded, run succeeded
         4s rerun both#1/fork[x]/work => dispatch both#1/fork[x]/work#1
         5s both#1/fork[x]/work ok => both#1/fork[x]/work succeeded, both#1/fork succeeded, dispatch both#2/fork[x]/work#1
         6s both#2/fork[x]/work ok => both#2/fork[x]/work succeeded, both#2/fork succeeded, both succeeded, dispatch z#1
         7s z ok => z succeeded, run succeeded
         8s restart => dispatch both#1/fork[x]/work#1
         9s both#1/fork[x]/work fail => both#1/fork[x]/work failed, both#1/fork failed, both failed, z skipped, run failed",
    );
}

#[test]
fn a_cancelled_loop_begins_no_other_iteration() {
    let mut optional = task("work");
    optional.optional = true;
    let both = repeat_over("both", "[1,2]", graph("", vec![optional]));
    check(
        flow(graph("both -> z, side", vec![both])),
        "dispatch both#1/work#1, dispatch side#1",
        "1s cancel => stop side, stop both#1/work
         2s both#1/work fail => both#1/work cancelled, both cancelled
         3s side fail => side cancelled, run cancelled
         4s retry => dispatch both#1/work#1, dispatch side#1
         5s both#1/work ok => both#1/work succeeded, dispatch both#2/work#1
         6s cancel both => stop both#2/work
         7s both#2/work ok => both#2/work cancelled, both cancelled, z skipped
         8s side ok => side succeeded, run failed",
    );
}

#[test]
fn the_condition_may_be_evaluated_elsewhere() {
    let poll = looping(repeat("poll", "true", graph("ask", vec![])), |poll| {
        poll.condition = Some(evaluation("go($)"));
    });
    check(
        flow(graph("poll -> z", vec![poll])),
        "dispatch poll#1/ask#1",
        r#"1s poll#1/ask ok => poll#1/ask succeeded, evaluate poll g1 go($)
           2s value poll g1 {"result":true} => dispatch poll#2/ask#1
           3s value poll g1 {"result":false} => 
           4s poll#2/ask ok => poll#2/ask succeeded, evaluate poll g2 go($)
           5s value poll g1 {"result":false} => 
           6s pause => 
           7s value poll g2 {"result":true} => 
           8s unpause => dispatch poll#3/ask#1
           9s poll#3/ask ok => poll#3/ask succeeded, evaluate poll g3 go($)
           10s cancel poll => poll cancelled, z skipped, run failed
           11s value poll g3 {"result":true} => 
           12s retry => dispatch poll#1/ask#1
           13s poll#1/ask ok => poll#1/ask succeeded, evaluate poll g5 go($)"#,
    );
}

#[test]
fn a_failure_elsewhere_stops_a_loop_that_waits_for_its_condition() {
    let poll = looping(repeat("poll", "true", graph("ask", vec![])), |poll| {
        poll.condition = Some(evaluation("go($)"));
    });
    let mut definition = flow(graph("poll -> z, side", vec![poll]));
    definition.on_failure = OnFailure::FailFast;
    check(
        definition,
        "dispatch poll#1/ask#1, dispatch side#1",
        r#"1s poll#1/ask ok => poll#1/ask succeeded, evaluate poll g1 go($)
           2s side fail => side failed, poll cancelled, run failed
           3s value poll g1 {"result":true} => "#,
    );
}

/// A loop of so many iterations that waits for nobody.
fn counting(iterations: u32) -> partitur_model::definition::Definition {
    let values = TemplateTree(Payload::parse(r#"{"n":"${each.index}"}"#).unwrap());
    let set = Node::new("set", Kind::SetVariables(values));
    let condition = format!("self.iteration < {iterations}");
    let count = looping(repeat("count", &condition, graph("", vec![set])), |count| count.keep_last = Some(1));
    let mut definition = flow(graph("", vec![count]));
    definition.outputs = vec![("n".into(), Template("${run.variables.n}".into()))];
    definition
}

#[test]
fn loops_that_wait_for_nobody_take_turns() {
    let mut lab = Lab::with_stretch(4);
    let first = lab.submit(counting(6));
    assert_eq!(first.join(", "), "count#1/set succeeded, count#2/set succeeded");
    let second = lab.submit_again(Payload::object::<&str>([]), Default::default());
    assert_eq!(second.join(", "), "2:count#1/set succeeded, 2:count#2/set succeeded");
    lab.script(
        "1s tick => count#3/set succeeded, count#4/set succeeded
         1s tick => 2:count#3/set succeeded, 2:count#4/set succeeded
         2s crash =>
         2s tick => count#5/set succeeded, count#6/set succeeded
         2s tick => 2:count#5/set succeeded, 2:count#6/set succeeded
         3s tick => count succeeded, run succeeded, 2:count succeeded, run 2:succeeded",
    );
    assert_eq!([lab.output(1), lab.output(2)], [r#"{"n":6}"#, r#"{"n":6}"#]);
}

#[test]
fn a_loop_that_waits_for_its_turn_can_be_cancelled_paused_and_started_afresh() {
    let mut lab = Lab::with_stretch(4);
    lab.submit(counting(6));
    lab.script(
        "1s pause =>
         1s tick =>
         2s unpause => count#3/set succeeded, count#4/set succeeded
         2s cancel => count cancelled, run cancelled
         3s restart => count#1/set succeeded, count#2/set succeeded
         3s tick => count#3/set succeeded, count#4/set succeeded
         4s tick => count#5/set succeeded, count#6/set succeeded
         5s tick => count succeeded, run succeeded",
    );
}
