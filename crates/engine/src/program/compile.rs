//! From a definition to a program, with every fault of its expressions found at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use partitur_expr::{Expression, ParseError, Rules, Script, Template, Tree};
use partitur_graph::{Csr, Waves, bottom_levels};
use partitur_model::definition::{self as source, Definition, Dialect, Evaluate, Items, Kind, Node, WaitFor};
use partitur_model::{Fault, Place};

use crate::room::Room;

use super::{
    Action, Body, BodyIx, ClaimTemplate, CommandTemplate, Computation, EachAction, ExpandAction, FlowAction,
    ItemsTemplate, LoopAction, Program, ProgramNode, ReadyTemplate, RemoteTemplate, RetryRule,
    ServiceTemplate, Source, UndoAction, WaitTemplate, WorkTemplate,
};

/// An expression or template cannot be read.
pub(crate) const BAD_EXPRESSION: &str = "P0201";

/// Compiles a definition and all of its sub-flows.
///
/// The graph must be free of cycles and its edges must lie within their scope, as `check` ensures; a definition that
/// is not checked first may compile and never end.
///
/// # Errors
/// Every expression and template that cannot be read.
pub fn compile(definition: &Arc<Definition>) -> Result<Arc<Program>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut flows = BTreeMap::new();
    for (name, flow) in &definition.flows {
        match compile(flow) {
            Ok(program) => {
                flows.insert(name.clone(), program);
            }
            Err(more) => faults.extend(more),
        }
    }
    let mut compiler = Compiler { dialect: definition.dialect, base: 0, bodies: Vec::new(), faults };
    compiler.scope(&definition.root);
    let outputs = compiler.named(&definition.outputs, &Place::root().member("outputs"));
    let env = compiler.named(&definition.env, &Place::root().member("env"));
    let dedup_key = definition.deduplicate.as_ref().and_then(|deduplicate| {
        compiler.template(&deduplicate.key, &Place::root().member("deduplicate").member("key"))
    });
    let variables = compiler.optional_tree(Some(&definition.variables), &Place::root().member("variables"));
    let output =
        compiler.optional_tree(definition.output.as_ref(), &Place::root().member("outputParameters"));
    let failure_flow =
        compiler.optional_tree(definition.failure_flow.as_ref(), &Place::root().member("failureWorkflow"));
    let room = definition.run_limit.as_ref().and_then(|limit| {
        let key = compiler.template(&limit.key, &Place::root().member("rateLimitConfig"))?;
        // The length keeps names apart that begin alike.
        let pool = format!("room/{}:{}/", definition.name.len(), definition.name);
        Some(Room { pool, key, runs: limit.runs, refuse: limit.refuse })
    });
    let cache = definition.cache.as_ref().map(|cache| {
        let place = Place::root().member("cacheConfig");
        (cache.clone(), cache.key.as_ref().and_then(|key| compiler.template(key, &place)))
    });
    if compiler.faults.is_empty() {
        Ok(Arc::new(Program {
            definition: definition.clone(),
            bodies: compiler.bodies.into_iter().map(Arc::new).collect(),
            outputs: outputs.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            env,
            dedup_key,
            flows,
            output,
            variables,
            failure_flow,
            room,
            cache,
        }))
    } else {
        Err(compiler.faults)
    }
}

/// Compiles the graph of one branch that was made at run time, and the bodies inside it. Their numbers begin at `base`.
pub(crate) fn compile_branch(scope: &source::Scope, base: u32) -> Result<Vec<Arc<Body>>, Vec<Fault>> {
    let mut compiler = Compiler { dialect: Dialect::Conductor, base, bodies: Vec::new(), faults: Vec::new() };
    compiler.scope(scope);
    if compiler.faults.is_empty() {
        Ok(compiler.bodies.into_iter().map(Arc::new).collect())
    } else {
        Err(compiler.faults)
    }
}

/// What an attempt is expected to take if nobody says.
pub(crate) const EXPECTED_DEFAULT: Duration = Duration::from_secs(1);

/// The longest remaining path of each task, in seconds; all alike in a graph with cycles, which `check` refuses.
pub(crate) fn levels(successors: &Csr, expected: &[Duration]) -> Vec<f32> {
    let micros: Vec<u64> = expected.iter().map(|time| time.as_micros() as u64).collect();
    match Waves::of(successors) {
        Ok(waves) => {
            bottom_levels(successors, &waves, &micros).into_iter().map(|level| level as f32 / 1e6).collect()
        }
        Err(_) => vec![0.0; expected.len()],
    }
}

fn is_service(node: &Node) -> bool {
    matches!(&node.kind, Kind::Command(command) if command.service.is_some())
}

struct Compiler {
    dialect: Dialect,
    /// The number of the first body.
    base: u32,
    bodies: Vec<Body>,
    faults: Vec<Fault>,
}

impl Compiler {
    fn scope(&mut self, scope: &source::Scope) -> BodyIx {
        let at = self.bodies.len();
        let edges: Vec<(u32, u32)> = scope.edges.iter().map(|edge| (edge.from, edge.to)).collect();
        let successors = Csr::build_with_edge_ids(scope.nodes.len() as u32, &edges);
        let predecessors = successors.reversed();
        let expected: Vec<Duration> =
            scope.nodes.iter().map(|node| node.expected.unwrap_or(EXPECTED_DEFAULT)).collect();
        self.bodies.push(Body {
            nodes: Vec::with_capacity(scope.nodes.len()),
            names: scope
                .nodes
                .iter()
                .zip(0..)
                .map(|(node, index)| (node.name.as_str().into(), index))
                .collect(),
            levels: levels(&successors, &expected),
            successors,
            predecessors,
            guards: scope.edges.iter().map(|edge| edge.guard.clone()).collect(),
            services: scope
                .nodes
                .iter()
                .zip(0..)
                .filter(|(node, _)| is_service(node))
                .map(|(_, at)| at)
                .collect(),
        });
        for node in &scope.nodes {
            if let Some(compiled) = self.node(node) {
                self.bodies[at].nodes.push(compiled);
            }
        }
        BodyIx(self.base + at as u32)
    }

    /// `None` only after a fault was noted: the program is not used then.
    fn node(&mut self, node: &Node) -> Option<ProgramNode> {
        let place = &node.place;
        let action = self.action(node);
        let when = match &node.when {
            Some(when) => Some(self.expression(&when.condition, &place.member("when"))?),
            None => None,
        };
        let claims = node.claims.iter().filter_map(|claim| self.claim(claim)).collect();
        let reads = self.templates(&node.reads, &place.member("reads"));
        let writes = self.templates(&node.writes, &place.member("writes"));
        let cache_key = node.cache.as_ref().and_then(|cache| cache.key.as_ref());
        let cache_key = cache_key.and_then(|key| self.template(key, &place.member("cache").member("key")));
        let agent = node.agent.as_ref().and_then(|agent| self.template(agent, &place.member("agent")));
        let retry = node.retry.as_ref().map(|retry| Box::new(self.retry(retry, &place.member("retry"))));
        let undo = match &node.undo {
            Some(undo) => Some(Box::new(self.undo(undo, &place.member("undo"))?)),
            None => None,
        };
        Some(ProgramNode {
            name: node.name.as_str().into(),
            input: self.optional_tree(node.input.as_ref(), &place.member("input")),
            action: action?,
            when,
            claims,
            reads,
            writes,
            cache_key,
            agent,
            retry,
            undo,
            spec: without_body(node),
        })
    }

    fn action(&mut self, node: &Node) -> Option<Action> {
        let place = &node.place;
        Some(match &node.kind {
            Kind::Command(_) | Kind::Http(_) | Kind::Remote(_) => {
                Action::Attempt(self.work(&node.kind, place)?)
            }
            Kind::Wait(wait) => self.wait(wait, &place.member("wait"))?,
            Kind::Evaluate(evaluate) => Action::Evaluate(self.computation(evaluate, &place.member("eval"))?),
            Kind::SubRun(sub) => Action::SubRun {
                flow: match &sub.flow {
                    source::Flow::Frozen(name) => FlowAction::Frozen(name.clone()),
                    source::Flow::Wanted(tree) => FlowAction::Wanted(self.tree(tree, &place.member("flow"))?),
                },
                input: self.tree(&sub.input, &place.member("with"))?,
            },
            Kind::Each(each) => Action::Each(EachAction {
                items: self.items(&each.items, place)?,
                key: match &each.key {
                    Some(key) => Some(self.template(key, &place.member("key"))?),
                    None => None,
                },
                max_parallel: each.max_parallel,
                batch: each.batch,
                body: self.scope(&each.body),
                fail_fast: each.fail_fast,
            }),
            Kind::Start(tree) => Action::Start(self.tree(tree, &place.member("start"))?),
            Kind::Expand(expand) => Action::Expand(ExpandAction {
                input: self.tree(&expand.input, &place.member("input"))?,
                expander: expand.expander.clone(),
                stands_for_branch: expand.stands_for_branch,
            }),
            Kind::Loop(repeat) => self.repeat(repeat, &place.member("loop"))?,
            Kind::Switch(switch) => Action::Switch {
                value: self.computation(&switch.value, &place.member("switch"))?,
                cases: switch.cases.clone(),
            },
            Kind::Join(join) => Action::Join(*join),
            Kind::Terminate(terminate) => Action::Terminate {
                outcome: terminate.outcome,
                output: self.tree(&terminate.output, &place.member("output"))?,
                reason: self.template(&terminate.reason, &place.member("reason"))?,
            },
            Kind::SetVariables(tree) => Action::SetVariables(self.tree(tree, &place.member("set"))?),
            Kind::Noop => Action::Noop,
        })
    }

    fn work(&mut self, kind: &Kind, place: &Place) -> Option<WorkTemplate> {
        match kind {
            Kind::Command(command) => self.command(command, place),
            Kind::Http(http) => {
                let place = place.member("http");
                Some(WorkTemplate::Http {
                    method: if http.method.is_empty() { "GET".to_owned() } else { http.method.clone() },
                    url: self.template(&http.url, &place.member("url"))?,
                    headers: self.named(&http.headers, &place.member("headers")),
                    body: match &http.body {
                        Some(body) => Some(self.tree(body, &place.member("body"))?),
                        None => None,
                    },
                })
            }
            Kind::Remote(remote) => Some(WorkTemplate::Remote(RemoteTemplate {
                task_type: remote.task_type.as_str().into(),
                input: self.tree(&remote.input, &place.member("input"))?,
                input_template: match &remote.input_template {
                    Some(template) => Some(self.tree(template, &place.member("input"))?),
                    None => None,
                },
                limits: remote.limits.clone(),
                // Whoever hosts native documents finds their workers itself.
                pushed: remote.pushed || self.dialect != Dialect::Conductor,
                async_complete: remote.async_complete,
            })),
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
                self.faults.push(Fault::error(
                    "P0202",
                    place.clone(),
                    "a compensation is a command or an HTTP call",
                ));
                None
            }
        }
    }

    fn command(&mut self, command: &source::Command, place: &Place) -> Option<WorkTemplate> {
        let run = place.member("run");
        let common = CommandTemplate {
            env: self.named(&command.env, &place.member("env")),
            env_files: self.templates(&command.env_files, &place.member("env-file")),
            dir: command.dir.as_ref().and_then(|dir| self.template(dir, &place.member("dir"))),
            stdin: command.stdin.as_ref().and_then(|stdin| self.template(stdin, &place.member("stdin"))),
            output: command.output,
            clean_env: command.clean_env,
            service: match &command.service {
                Some(service) => Some(Box::new(self.service(service, &place.member("service"))?)),
                None => None,
            },
        };
        Some(match &command.program {
            source::Program::Direct(argv) => {
                WorkTemplate::Direct { argv: self.templates(argv, &run), command: common }
            }
            source::Program::Shell { shell, script, vars } => {
                let vars = vars
                    .iter()
                    .filter_map(|(name, value)| Some((name.clone(), self.template(value, &run)?)))
                    .collect();
                WorkTemplate::Shell { shell: shell.clone(), script: script.clone(), vars, command: common }
            }
        })
    }

    fn service(&mut self, service: &source::Service, place: &Place) -> Option<ServiceTemplate> {
        let ready = match &service.ready {
            source::Ready::Started => ReadyTemplate::Started,
            source::Ready::Port(port) => ReadyTemplate::Port(self.template(port, &place.member("port"))?),
            source::Ready::Http(url) => ReadyTemplate::Http(self.template(url, &place.member("http"))?),
            source::Ready::Line(text) => ReadyTemplate::Line(text.clone()),
            source::Ready::Command(program) => self.question(program, &place.member("run")),
        };
        let (within, every, grace) = (service.within, service.every, service.grace);
        Some(ServiceTemplate { ready, within, every, grace })
    }

    /// A command that is asked whether a service is up.
    fn question(&mut self, program: &source::Program, place: &Place) -> ReadyTemplate {
        match program {
            source::Program::Direct(argv) => ReadyTemplate::Direct(self.templates(argv, place)),
            source::Program::Shell { shell, script, vars } => {
                let argv = shell.iter().chain([script]).cloned().collect();
                let vars = vars
                    .iter()
                    .filter_map(|(name, value)| Some((name.clone(), self.template(value, place)?)))
                    .collect();
                ReadyTemplate::Shell { argv, vars }
            }
        }
    }

    fn wait(&mut self, wait: &source::Wait, place: &Place) -> Option<Action> {
        Some(match &wait.what {
            WaitFor::Duration(text) => Action::Wait(WaitTemplate::Duration(self.template(text, place)?)),
            WaitFor::Until(text) => Action::Wait(WaitTemplate::Until(self.template(text, place)?)),
            WaitFor::Signal => Action::Wait(WaitTemplate::Signal),
            WaitFor::Approval => Action::Wait(WaitTemplate::Approval),
            WaitFor::File(path) => {
                Action::Attempt(WorkTemplate::AwaitFile { path: self.template(path, &place.member("file"))? })
            }
        })
    }

    fn items(&mut self, items: &Items, place: &Place) -> Option<ItemsTemplate> {
        Some(match items {
            Items::List(tree) => ItemsTemplate::List(self.tree(tree, &place.member("for-each"))?),
            Items::Matrix(axes) => {
                let place = place.member("matrix");
                let mut compiled = Vec::with_capacity(axes.len());
                for (name, tree) in axes {
                    compiled.push((name.as_str().into(), self.tree(tree, &place.member(name))?));
                }
                ItemsTemplate::Matrix(compiled)
            }
        })
    }

    fn repeat(&mut self, repeat: &source::Loop, place: &Place) -> Option<Action> {
        let condition = match &repeat.condition {
            Some(condition) => Some(self.computation(condition, &place.member("while"))?),
            None => None,
        };
        let items = match &repeat.items {
            Some(items) => Some(self.tree(items, &place.member("for-each"))?),
            None => None,
        };
        Some(Action::Loop(LoopAction {
            body: self.scope(&repeat.body),
            condition,
            items,
            keep_last: repeat.keep_last,
            iterations_max: repeat.iterations_max,
        }))
    }

    fn computation(&mut self, evaluate: &Evaluate, place: &Place) -> Option<Computation> {
        Some(match evaluate {
            Evaluate::Expression(text) => Computation::Expression(self.expression(text, place)?),
            Evaluate::Tree(tree) => Computation::Tree(self.tree(tree, place)?),
            Evaluate::Rules(rules) => match Rules::parse(rules) {
                Ok(rules) => Computation::Rules(rules),
                Err(errors) => {
                    let rules = place.parent().unwrap_or_default().member("rules");
                    for (inner, error) in errors {
                        self.fault(inner_place(&rules, &inner), error);
                    }
                    return None;
                }
            },
            Evaluate::Script { language, source, input } => {
                let source = self.source(source, place)?;
                Computation::Script {
                    quick: quick(language, &source),
                    language: language.clone(),
                    source,
                    input: self.tree(input, place)?,
                }
            }
        })
    }

    /// Conductor's dialect fills values into the text of scripts; where it does not, the text is shielded.
    fn source(&mut self, source: &str, place: &Place) -> Option<Source> {
        if self.dialect != Dialect::Conductor {
            return Some(Source::Fixed(source.to_owned()));
        }
        let template = self.template(&source::Template(source.to_owned()), place)?;
        Some(match template.constant() {
            Some(text) => Source::Fixed(text.to_owned()),
            None => Source::Filled(template),
        })
    }

    fn undo(&mut self, undo: &source::Undo, place: &Place) -> Option<UndoAction> {
        Some(UndoAction {
            work: self.work(&undo.kind, place)?,
            retry: undo.retry.as_ref().map(|retry| self.retry(retry, &place.member("retry"))),
            timeout: undo.timeout,
        })
    }

    fn retry(&mut self, retry: &source::Retry, place: &Place) -> RetryRule {
        RetryRule {
            policy: retry.clone(),
            condition: retry.condition.as_ref().and_then(|text| self.expression(text, &place.member("if"))),
            until: retry.until.as_ref().and_then(|text| self.expression(text, &place.member("until"))),
        }
    }

    fn claim(&mut self, claim: &source::Claim) -> Option<ClaimTemplate> {
        Some(ClaimTemplate {
            resource: self.template(&claim.resource, &claim.place)?,
            mode: claim.mode,
            units: claim.units,
            expires: claim.expires,
        })
    }

    fn template(&mut self, text: &source::Template, place: &Place) -> Option<Template> {
        match Template::parse(&text.0) {
            Ok(template) => Some(template),
            Err(error) => {
                self.fault(place.clone(), error);
                None
            }
        }
    }

    fn templates(&mut self, texts: &[source::Template], place: &Place) -> Vec<Template> {
        texts
            .iter()
            .enumerate()
            .filter_map(|(index, text)| self.template(text, &place.element(index)))
            .collect()
    }

    fn named(&mut self, texts: &[(String, source::Template)], place: &Place) -> Vec<(String, Template)> {
        texts
            .iter()
            .filter_map(|(name, text)| Some((name.clone(), self.template(text, &place.member(name))?)))
            .collect()
    }

    fn tree(&mut self, tree: &source::TemplateTree, place: &Place) -> Option<Tree> {
        match Tree::parse(&tree.0) {
            Ok(tree) => Some(tree),
            Err(errors) => {
                for (inner, error) in errors {
                    self.fault(inner_place(place, &inner), error);
                }
                None
            }
        }
    }

    fn optional_tree(&mut self, tree: Option<&source::TemplateTree>, place: &Place) -> Option<Tree> {
        self.tree(tree.filter(|tree| !tree.0.is_null())?, place)
    }

    fn expression(&mut self, text: &source::Expression, place: &Place) -> Option<Expression> {
        match Expression::parse(&text.0) {
            Ok(expression) => Some(expression),
            Err(error) => {
                self.fault(place.clone(), error);
                None
            }
        }
    }

    fn fault(&mut self, place: Place, error: ParseError) {
        let mut fault = Fault::error(BAD_EXPRESSION, place, error.message)
            .within(error.at.start, error.at.end)
            .label("here");
        fault.hint = error.hint;
        self.faults.push(fault);
    }
}

/// A place inside a tree, given as `a.b[0]`, from the place of the tree.
fn inner_place(place: &Place, inner: &str) -> Place {
    if inner.is_empty() {
        place.clone()
    } else if inner.starts_with('[') {
        Place(format!("{place}{inner}"))
    } else {
        Place(format!("{place}.{inner}"))
    }
}

/// A script that can be evaluated at once.
fn quick(language: &str, source: &Source) -> Option<Script> {
    match source {
        Source::Fixed(text) if language == "javascript" => Script::parse(text),
        Source::Fixed(_) | Source::Filled(_) => None,
    }
}

/// The node as declared, without the bodies that are compiled apart.
fn without_body(node: &Node) -> Node {
    let mut node = node.clone();
    match &mut node.kind {
        Kind::Each(each) => each.body = source::Scope::default(),
        Kind::Loop(repeat) => repeat.body = source::Scope::default(),
        Kind::Command(_)
        | Kind::Http(_)
        | Kind::Remote(_)
        | Kind::Wait(_)
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
    node
}
