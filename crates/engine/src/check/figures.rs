//! Figures, times and inputs that cannot be meant.

use std::time::Duration;

use partitur_expr::{SOURCE_MAX, Tree, matches_whole};
use partitur_model::definition::{
    Backoff, Each, InputSpec, Items, Kind, Loop, Node, OnFailure, Retry, SubRun, TemplateTree, Wait, WaitFor,
};
use partitur_model::unit::{parse_duration, parse_timestamp};
use partitur_model::{Fault, Payload, Place};

use super::names::Nothing;
use super::suggest::Suggest;
use super::{Cx, Found, Part, codes};

pub(super) fn check(cx: &Cx<'_>, found: &mut Found) {
    document(cx, found);
    for input in &cx.definition.inputs {
        pattern(input, found);
    }
    defaults(cx, found);
    let suggest = Suggest::new();
    for task in &cx.outline.tasks {
        let mut figures = Figures { found, part: Part::Task(task.rank) };
        figures.node(task.node);
        figures.undo(task.node, cx.definition.on_failure);
        if let Kind::SubRun(sub) = &task.node.kind {
            figures.with(cx, sub, task.node, &suggest);
        }
    }
}

fn document(cx: &Cx<'_>, found: &mut Found) {
    let definition = cx.definition;
    let mut figures = Figures { found, part: Part::Head };
    if let Some(concurrency) = definition.concurrency {
        let place = || cx.top("concurrency");
        figures.at_least_one(concurrency.max, place, "the number of tasks at once");
        if concurrency.min > concurrency.max {
            let (min, max) = (concurrency.min, concurrency.max);
            figures.bad(place(), format!("`{min}..{max}` begins above its end"), "turned round");
        }
    }
    figures.some_time(definition.timeout, || cx.top("timeout"), "the time for the whole run");
    if let Some(it) = &definition.deduplicate {
        let place = || cx.top("deduplicate").member("window");
        figures.some_time(Some(it.window), place, "the time for which a submission is remembered");
    }
    for spec in &definition.resources {
        let what = format!("the number of units of `{}`", spec.name);
        figures.at_least_one(spec.units, || spec.place.clone(), &what);
    }
    for breaker in &definition.breakers {
        let place = |key: &str| cx.top("breakers").member(&breaker.name).member(key);
        let what = |figure: &str| format!("{figure} of the breaker `{}`", breaker.name);
        figures.at_least_one(breaker.failures_max, || place("failures"), &what("the number of failures"));
        figures.at_least_one(breaker.probes_max, || place("probes"), &what("the number of probes"));
        figures.at_least_one(breaker.successes_min, || place("successes"), &what("the number of successes"));
        figures.some_time(Some(breaker.open_for), || place("open-for"), &what("the open time"));
    }
}

fn pattern(input: &InputSpec, found: &mut Found) {
    let Some(Err(error)) = input.pattern.as_deref().map(|pattern| matches_whole(pattern, "")) else { return };
    let fault = Fault::error(codes::BAD_PATTERN, input.place.member("pattern"), error.message)
        .label("not understood")
        .hint("write a regular expression; it must match the whole of the value");
    found.add(Part::Head, fault);
}

/// A default that no run could be given.
fn defaults(cx: &Cx<'_>, found: &mut Found) {
    let Err(faults) = crate::complete_inputs(cx.definition, &Payload::Null) else { return };
    let readable = |input: &&InputSpec| {
        input.pattern.as_deref().is_none_or(|pattern| matches_whole(pattern, "").is_ok())
    };
    for input in cx.definition.inputs.iter().filter(|input| input.default.is_some()).filter(readable) {
        let own = |fault: &&Fault| fault.code == codes::BAD_INPUT && fault.place == input.place;
        if let Some(fault) = faults.iter().find(own) {
            let message = fault.message.replacen("the input", "the default of", 1);
            let fault = Fault::error(codes::BAD_INPUT, input.place.member("default"), message);
            found.add(Part::Head, fault.label("does not fit"));
        }
    }
}

/// The figures of one task, or of the head of the document.
struct Figures<'a> {
    found: &'a mut Found,
    part: Part,
}

impl Figures<'_> {
    fn node(&mut self, node: &Node) {
        let place = &node.place;
        if let Some(retry) = &node.retry {
            self.retry(retry, &place.member("retry"));
        }
        let timeouts = &node.timeouts;
        self.some_time(timeouts.attempt, || place.member("timeout"), "the time for an attempt");
        let within = |key: &str| place.member("timeouts").member(key);
        self.some_time(timeouts.heartbeat, || within("heartbeat"), "the time between two signs of life");
        self.some_time(timeouts.queue, || within("queue"), "the time until the start");
        self.some_time(timeouts.total, || within("total"), "the time for all attempts");
        if let Some(cache) = &node.cache {
            let place = || place.member("cache").member("ttl");
            self.some_time(Some(cache.ttl), place, "the time for which a result serves");
        }
        for claim in &node.claims {
            self.at_least_one(claim.units, || claim.place.member("units"), "the number of units");
            self.some_time(claim.expires, || claim.place.member("expires"), "the lease");
        }
        match &node.kind {
            Kind::Each(each) => self.each(each, place),
            Kind::Loop(repeat) => self.repeat(repeat, place),
            Kind::Wait(wait) => self.wait(wait, place),
            Kind::Command(_)
            | Kind::Http(_)
            | Kind::Remote(_)
            | Kind::Evaluate(_)
            | Kind::SubRun(_)
            | Kind::Start(_)
            | Kind::Expand(_)
            | Kind::Switch(_)
            | Kind::Join(_)
            | Kind::Terminate(_)
            | Kind::SetVariables(_)
            | Kind::Noop => {}
        }
    }

    fn retry(&mut self, retry: &Retry, place: &Place) {
        self.at_least_one(retry.attempts, || place.member("attempts"), "the number of attempts");
        if let Backoff::Exponential { factor } = retry.backoff
            && !(1.0..=f64::MAX).contains(&factor)
        {
            self.bad(place.member("factor"), format!("pauses cannot grow by the factor {factor}"), "below 1");
        }
        if retry.max < retry.base {
            let message = "the longest pause is shorter than the first one";
            let fault =
                Fault::warning(codes::SHORT_PAUSES, place.member("max"), message).label("never reached");
            self.found
                .add(self.part, fault.hint("every pause is as long as `max`: raise it, or lower `base`"));
        }
    }

    fn each(&mut self, each: &Each, place: &Place) {
        if let Some(count) = each.max_parallel {
            self.at_least_one(count, || place.member("max-parallel"), "the number of branches at once");
        }
        if let Some(count) = each.batch {
            self.at_least_one(count, || place.member("batch"), "the number of elements in a branch");
        }
        match &each.items {
            Items::List(tree) => self.list(tree, || place.member("for-each")),
            Items::Matrix(axes) => {
                for (name, tree) in axes {
                    self.list(tree, || place.member("matrix").member(name));
                }
            }
        }
    }

    fn repeat(&mut self, repeat: &Loop, place: &Place) {
        let place = |key: &str| place.member("loop").member(key);
        if let Some(count) = repeat.keep_last {
            self.at_least_one(count, || place("keep-last"), "the number of iterations kept");
        }
        self.at_least_one(repeat.iterations_max, || place("at-most"), "the number of iterations");
        if let Some(items) = &repeat.items {
            self.list(items, || place("for-each"));
        }
    }

    /// What can be known of the elements: constants, and texts that are more than one `${…}`.
    fn list(&mut self, tree: &TemplateTree, place: impl Fn() -> Place) {
        let Ok(parsed) = Tree::parse(&tree.0) else { return };
        let value = parsed.resolve(&Nothing);
        if value.elements().is_some() || (value.is_null() && !parsed.is_constant()) {
            return;
        }
        let fault = Fault::error(codes::NO_LIST, place(), "the elements are not a list").label("no list");
        let hint = "write a list, or one `${…}` whose value is a list, with nothing around it";
        self.found.add(self.part, fault.hint(hint));
    }

    fn wait(&mut self, wait: &Wait, place: &Place) {
        let place = place.member("wait");
        self.some_time(wait.at_most, || place.member("at-most"), "the time of the wait");
        let (text, error) = match &wait.what {
            WaitFor::Duration(text) => (text, parse_duration(&text.0).err()),
            WaitFor::Until(text) => (text, parse_timestamp(&text.0).err()),
            WaitFor::Signal | WaitFor::Approval | WaitFor::File(_) => return,
        };
        if let Some(error) = error.filter(|_| !text.0.contains("${") && text.0.len() <= SOURCE_MAX) {
            let fault = Fault::error(codes::BAD_TIME, place, error.to_string()).label("no time");
            self.found.add(self.part, fault.hint("write `90s`, `2h 30m`, or `2026-11-21T10:20:30Z`"));
        }
    }

    /// Compensations that are missing, or that nobody ever needs.
    fn undo(&mut self, node: &Node, on_failure: OnFailure) {
        let executed = matches!(&node.kind, Kind::Command(_) | Kind::Http(_) | Kind::Remote(_));
        if let Some(undo) = &node.undo {
            let place = || node.place.member("undo");
            self.some_time(undo.timeout, || place().member("timeout"), "the time for an attempt");
            if let Some(retry) = &undo.retry {
                self.retry(retry, &place().member("retry"));
            }
            if matches!(&node.kind, Kind::Each(_) | Kind::Loop(_) | Kind::SubRun(_)) {
                let message =
                    format!("`{}` is undone by what it consists of, never by its own `undo`", node.name);
                let fault = Fault::warning(codes::NO_EFFECT, place(), message).label("no effect");
                self.found.add(self.part, fault.hint("give the `undo` to the tasks inside"));
            }
        } else if executed && on_failure == OnFailure::Rollback && !node.writes.is_empty() {
            let message = format!("a rollback leaves behind what `{}` has written", node.name);
            let fault =
                Fault::warning(codes::NO_UNDO, node.place.member("writes"), message).label("not undone");
            self.found.add(self.part, fault.hint(format!("give `{}` an `undo`", node.name)));
        }
    }

    /// What a sub-flow is given, and what it asks for.
    fn with(&mut self, cx: &Cx<'_>, sub: &SubRun, node: &Node, suggest: &Suggest) {
        let Some(called) = sub.flow.frozen() else { return };
        let Some(flow) = cx.flow(called) else { return };
        let Some(given) = sub.input.0.entries() else { return };
        let place = node.place.member("with");
        for (name, _) in &given {
            if !flow.inputs.iter().any(|input| input.name == **name) {
                let message = format!("the flow `{called}` takes no input `{name}`");
                let mut fault =
                    Fault::error(codes::BAD_FLOW_INPUT, place.member(name), message).label("unknown input");
                fault.hint = suggest.hint(name, flow.inputs.iter().map(|input| input.name.as_str()));
                self.found.add(self.part, fault);
            }
        }
        let missing = |input: &&InputSpec| {
            input.default.is_none() && !given.iter().any(|(name, _)| **name == *input.name)
        };
        for input in flow.inputs.iter().filter(missing) {
            let message = format!("the flow `{called}` needs the input `{}`", input.name);
            let fault = Fault::error(codes::BAD_FLOW_INPUT, place.clone(), message).label("not given");
            self.found.add(self.part, fault.hint(format!("add `{}: …` to `with`", input.name)));
        }
    }

    fn at_least_one(&mut self, figure: u32, place: impl Fn() -> Place, what: &str) {
        if figure == 0 {
            self.bad(place(), format!("{what} must be at least 1"), "zero");
        }
    }

    fn some_time(&mut self, time: Option<Duration>, place: impl Fn() -> Place, what: &str) {
        if time.is_some_and(|time| time.is_zero()) {
            self.bad(place(), format!("{what} must be longer than nothing"), "zero");
        }
    }

    fn bad(&mut self, place: Place, message: String, label: &str) {
        self.found.add(self.part, Fault::error(codes::BAD_FIGURE, place, message).label(label));
    }
}
