//! Every template and expression of a file: where it stands, and what it sees.

use partitur_expr::{Expression, ParseError, Rules, SOURCE_MAX, Template};
use partitur_model::definition::{
    self as source, Dialect, Evaluate, Flow, Items, Kind, Node, Retry, TemplateTree, WaitFor,
};
use partitur_model::value::DEPTH_MAX;
use partitur_model::{Fault, Payload, Place};

use super::names::{Names, Own, Sight};
use super::{Cx, Found, Part, codes};

pub(super) fn check(cx: &Cx<'_>, found: &mut Found) {
    let mut walk = Walk { cx, found, names: Names::new(cx) };
    walk.top();
    for task in 0..cx.outline.tasks.len() as u32 {
        walk.task(task);
    }
    let Walk { names, found, .. } = walk;
    names.settle(found);
}

struct Walk<'a, 'd> {
    cx: &'a Cx<'d>,
    found: &'a mut Found,
    names: Names<'a, 'd>,
}

impl Walk<'_, '_> {
    fn top(&mut self) {
        let definition = self.cx.definition;
        let top = |key: &str| self.cx.top(key);
        let (env, outputs, deduplicate) = (top("env"), top("outputs"), top("deduplicate"));
        self.named(&definition.env, &env, &Sight::environment());
        self.named(&definition.outputs, &outputs, &Sight::outputs());
        if let Some(it) = &definition.deduplicate {
            self.template(&it.key, &|| deduplicate.member("key"), &Sight::submission());
        }
    }

    fn task(&mut self, task: u32) {
        let outline = self.cx.outline.task(task);
        let (node, place) = (outline.node, &outline.node.place);
        let blind = Sight::of(self.cx.outline, task, Own::Nothing);
        let attempt = Sight::of(self.cx.outline, task, Own::Attempt);
        let ended = Sight::of(self.cx.outline, task, Own::Output);
        if let Some(when) = &node.when {
            self.condition(&when.condition, &|| place.member("when"), &blind, true);
        }
        self.kind(task, node);
        for claim in &node.claims {
            self.template(&claim.resource, &|| claim.place.clone(), &attempt);
        }
        self.listed(&node.reads, &|| place.member("reads"), &attempt);
        self.listed(&node.writes, &|| place.member("writes"), &attempt);
        if let Some(key) = node.cache.as_ref().and_then(|cache| cache.key.as_ref()) {
            self.template(key, &|| place.member("cache").member("key"), &attempt);
        }
        if let Some(agent) = &node.agent {
            self.template(agent, &|| place.member("agent"), &attempt);
        }
        if let Some(retry) = &node.retry {
            self.retry(retry, &place.member("retry"), &ended);
        }
        if let Some(undo) = &node.undo {
            let place = place.member("undo");
            self.work(&undo.kind, &place, &ended);
            if let Some(retry) = &undo.retry {
                self.retry(retry, &place.member("retry"), &ended);
            }
        }
    }

    fn kind(&mut self, task: u32, node: &Node) {
        let place = &node.place;
        let blind = Sight::of(self.cx.outline, task, Own::Nothing);
        let attempt = Sight::of(self.cx.outline, task, Own::Attempt);
        match &node.kind {
            Kind::Command(_) | Kind::Http(_) | Kind::Remote(_) => self.work(&node.kind, place, &attempt),
            Kind::Wait(wait) => self.wait(&wait.what, place, &attempt),
            Kind::Evaluate(evaluate) => self.computation(evaluate, &place.member("eval"), &attempt, false),
            Kind::SubRun(sub) => {
                if let Flow::Wanted(tree) = &sub.flow {
                    self.tree(tree, &|| place.member("flow"), &blind);
                }
                self.tree(&sub.input, &|| place.member("with"), &blind);
            }
            Kind::Start(tree) => self.tree(tree, &|| place.member("start"), &blind),
            Kind::Expand(expand) => self.tree(&expand.input, &|| place.member("input"), &blind),
            Kind::Each(each) => {
                match &each.items {
                    Items::List(tree) => self.tree(tree, &|| place.member("for-each"), &blind),
                    Items::Matrix(axes) => {
                        for (name, tree) in axes {
                            self.tree(tree, &|| place.member("matrix").member(name), &blind);
                        }
                    }
                }
                if let Some(key) = &each.key {
                    let sight = Sight::of_key(self.cx.outline, task);
                    self.template(key, &|| place.member("key"), &sight);
                }
            }
            Kind::Loop(repeat) => {
                let place = place.member("loop");
                if let Some(items) = &repeat.items {
                    self.tree(items, &|| place.member("for-each"), &blind);
                }
                if let Some(condition) = &repeat.condition {
                    let sight = Sight::of_while(self.cx.outline, task);
                    self.computation(condition, &place.member("while"), &sight, true);
                }
            }
            Kind::Switch(switch) => {
                self.computation(&switch.value, &place.member("switch"), &attempt, false);
            }
            Kind::Terminate(terminate) => {
                self.tree(&terminate.output, &|| place.member("output"), &blind);
                self.template(&terminate.reason, &|| place.member("reason"), &blind);
            }
            Kind::SetVariables(tree) => self.tree(tree, &|| place.member("set"), &blind),
            Kind::Join(_) | Kind::Noop => {}
        }
    }

    /// What is executed, or undoes what was.
    fn work(&mut self, kind: &Kind, place: &Place, sight: &Sight) {
        match kind {
            Kind::Command(command) => self.command(command, place, sight),
            Kind::Http(http) => {
                let place = || place.member("http");
                self.template(&http.url, &|| place().member("url"), sight);
                if !http.headers.is_empty() {
                    self.named(&http.headers, &place().member("headers"), sight);
                }
                if let Some(body) = &http.body {
                    self.tree(body, &|| place().member("body"), sight);
                }
            }
            Kind::Remote(remote) => self.tree(&remote.input, &|| place.member("input"), sight),
            Kind::Wait(_)
            | Kind::Evaluate(_)
            | Kind::SubRun(_)
            | Kind::Start(_)
            | Kind::Expand(_)
            | Kind::Each(_)
            | Kind::Loop(_)
            | Kind::Switch(_)
            | Kind::Join(_)
            | Kind::Terminate(_)
            | Kind::SetVariables(_)
            | Kind::Noop => {
                let fault = Fault::error(
                    codes::BAD_UNDO,
                    place.clone(),
                    "a compensation is a command or an HTTP call",
                );
                self.found.add(sight.part, fault.label("cannot be executed"));
            }
        }
    }

    fn command(&mut self, command: &source::Command, place: &Place, sight: &Sight) {
        if !command.env.is_empty() {
            self.named(&command.env, &place.member("env"), sight);
        }
        if let Some(dir) = &command.dir {
            self.template(dir, &|| place.member("dir"), sight);
        }
        if let Some(stdin) = &command.stdin {
            self.template(stdin, &|| place.member("stdin"), sight);
        }
        match &command.program {
            source::Program::Direct(argv) => self.listed(argv, &|| place.member("run"), sight),
            source::Program::Shell { vars, .. } => {
                // Where a value stood in the script is not known any more.
                let sight = sight.without_offsets();
                for (_, value) in vars {
                    self.template(value, &|| place.member("run"), &sight);
                }
            }
        }
    }

    fn wait(&mut self, wait: &WaitFor, place: &Place, attempt: &Sight) {
        let blind = attempt.with(Own::Nothing);
        match wait {
            WaitFor::Duration(text) | WaitFor::Until(text) => {
                self.template(text, &|| place.member("wait"), &blind);
            }
            WaitFor::File(path) => self.template(path, &|| place.member("wait").member("file"), attempt),
            WaitFor::Signal | WaitFor::Approval => {}
        }
    }

    fn computation(&mut self, evaluate: &Evaluate, place: &Place, sight: &Sight, is_condition: bool) {
        match evaluate {
            Evaluate::Expression(text) => self.condition(text, &|| place.clone(), sight, is_condition),
            Evaluate::Tree(tree) => self.tree(tree, &|| place.clone(), sight),
            Evaluate::Rules(rules) => self.rules(rules, place, sight),
            Evaluate::Script { input, .. } => self.tree(input, &|| place.clone(), sight),
        }
    }

    fn rules(&mut self, rules: &source::RuleSet, place: &Place, sight: &Sight) {
        let place = place.parent().unwrap_or_default().member("rules");
        if let Err(errors) = Rules::parse(rules) {
            for (inner, error) in errors {
                let inner = inner.replacen("].condition", "].if", 1);
                self.unreadable(Place(format!("{place}{inner}")), error, sight);
            }
            return;
        }
        for (at, rule) in rules.rules.iter().enumerate() {
            let place = || place.element(at);
            self.condition(&rule.condition, &|| place().member("if"), sight, true);
            self.tree(&rule.set, &|| place().member("set"), sight);
            if let Some(fail) = &rule.fail {
                self.template(fail, &|| place().member("fail"), sight);
            }
        }
    }

    fn retry(&mut self, retry: &Retry, place: &Place, sight: &Sight) {
        if let Some(condition) = &retry.condition {
            self.condition(condition, &|| place.member("if"), sight, true);
        }
        if let Some(until) = &retry.until {
            self.condition(until, &|| place.member("until"), sight, true);
        }
    }

    fn named(&mut self, texts: &[(String, source::Template)], place: &Place, sight: &Sight) {
        for (name, text) in texts {
            self.template(text, &|| place.member(name), sight);
        }
    }

    fn listed(&mut self, texts: &[source::Template], place: &dyn Fn() -> Place, sight: &Sight) {
        for (at, text) in texts.iter().enumerate() {
            self.template(text, &|| place().element(at), sight);
        }
    }

    fn template(&mut self, text: &source::Template, place: &dyn Fn() -> Place, sight: &Sight) {
        self.text(&text.0, place, sight);
    }

    fn text(&mut self, text: &str, place: &dyn Fn() -> Place, sight: &Sight) {
        // Nearly all texts are constant.
        if !text.contains("${") && text.len() <= SOURCE_MAX {
            return;
        }
        match Template::parse(text) {
            Ok(template) => {
                for path in template.paths() {
                    self.names.look(path, text, place, sight, self.found);
                }
            }
            Err(error) => self.unreadable(place(), error, sight),
        }
    }

    fn tree(&mut self, tree: &TemplateTree, place: &dyn Fn() -> Place, sight: &Sight) {
        self.value(&tree.0, place, sight, 0);
    }

    fn value(&mut self, value: &Payload, place: &dyn Fn() -> Place, sight: &Sight, depth: usize) {
        if depth > DEPTH_MAX {
            let fault =
                Fault::error(codes::BAD_EXPRESSION, place(), format!("nested more than {DEPTH_MAX} deep"));
            self.found.add(sight.part, fault.label("too deep"));
        } else if let Some(entries) = value.entries() {
            for (key, value) in entries {
                self.value(&value, &|| place().member(&key), sight, depth + 1);
            }
        } else if let Some(elements) = value.elements() {
            for (at, value) in elements.into_iter().enumerate() {
                self.value(&value, &|| place().element(at), sight, depth + 1);
            }
        } else if let serde_json::Value::String(text) = value.to_value() {
            self.text(&text, place, sight);
        }
    }

    fn condition(
        &mut self,
        text: &source::Expression,
        place: &dyn Fn() -> Place,
        sight: &Sight,
        is_condition: bool,
    ) {
        let expression = match Expression::parse(&text.0) {
            Ok(expression) => expression,
            Err(error) => return self.unreadable(place(), error, sight),
        };
        let paths = expression.paths();
        for path in &paths {
            self.names.look(path, &text.0, place, sight, self.found);
        }
        if paths.is_empty() {
            self.constant(&expression, place, sight, is_condition);
        }
        if self.cx.definition.dialect == Dialect::Conductor {
            return;
        }
        for range in expression.nullable_orderings(&|path| self.names.is_never_null(path, sight)) {
            let shown = text.0.get(range.start as usize..range.end as usize).unwrap_or_default();
            let message = format!("`{shown}` is false when a side of it is null");
            let fault = Fault::warning(codes::NULL_ORDERING, place(), message)
                .within(range.start as usize, range.end as usize)
                .label("may compare with null")
                .hint("say what holds then: `default(x, 0)` gives another value in place of null");
            self.found.add(sight.part, fault);
        }
    }

    /// An expression that sees nothing has its value already.
    fn constant(
        &mut self,
        expression: &Expression,
        place: &dyn Fn() -> Place,
        sight: &Sight,
        is_condition: bool,
    ) {
        let outcome = if is_condition {
            expression.truth(&super::names::Nothing).map(drop)
        } else {
            expression.value(&super::names::Nothing).map(drop)
        };
        if let Err(error) = outcome {
            let fault = Fault::error(codes::NO_CONDITION, place(), error.fault.to_string())
                .within(error.at.start as usize, error.at.end as usize);
            self.found.add(sight.part, fault.label("always fails"));
        }
    }

    fn unreadable(&mut self, place: Place, error: ParseError, sight: &Sight) {
        let mut fault = Fault::error(codes::BAD_EXPRESSION, place, error.message).label("here");
        if sight.has_offsets() {
            fault = fault.within(error.at.start, error.at.end);
        }
        fault.hint = error.hint;
        self.found.add(sight.part, fault);
    }
}

impl Sight {
    fn environment() -> Sight {
        Sight::top(Part::Head, super::names::Tasks::None { run: true })
    }

    fn submission() -> Sight {
        Sight::top(Part::Head, super::names::Tasks::None { run: false })
    }

    fn outputs() -> Sight {
        Sight::top(Part::Tail, super::names::Tasks::All)
    }
}
