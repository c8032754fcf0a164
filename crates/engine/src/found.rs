//! Resources that rules find: from the type of a task, its agent, and what it is told about its context.
//!
//! Rules are applied once, when a document is loaded: what they find stands among the task's claims like those that it
//! declares, and can be seen before anything runs. A value that only a run knows (`${…}`) is text to them.

use std::sync::{Arc, LazyLock};

use partitur_expr::{Expression, Lookup, Step, navigate};
use partitur_model::definition::{
    Claim, ClaimMode, Definition, FoundClaim, Kind, Node, ResourceRule, Scope, Template,
};
use partitur_model::{Fault, Payload, Place};

use crate::check::codes;

/// What a condition may name.
const HEADS: [&str; 5] = ["type", "agent", "context", "name", "description"];

/// The rules that ship: the resource that they find, and when.
pub const SHIPPED: &[(&str, &str)] = &[
    (
        "backend_services",
        "agent matches '(?i).*backend.*' \
         or type matches '(?i).*(backend|endpoint|api_implementation|api_integration).*' \
         or context.endpoints != null",
    ),
    (
        "frontend_assets",
        "agent matches '(?i).*frontend.*' or type matches '(?i).*(frontend|styling|asset).*'",
    ),
    ("documentation_files", "agent matches '(?i).*documentation.*' or type matches '(?i).*documentation.*'"),
    (
        "database_config",
        "agent matches '(?i).*database.*' or type matches '(?i).*(database|schema|migration).*' \
         or context.migrations != null",
    ),
    ("ui_components", "type matches '(?i).*(component|ui_).*' or context.components != null"),
];

/// A rule, ready to be asked.
struct Compiled {
    name: String,
    condition: Expression,
    claims: Vec<Claim>,
}

static SHIPPED_RULES: LazyLock<Vec<Compiled>> = LazyLock::new(|| SHIPPED.iter().map(shipped).collect());

fn shipped(&(name, condition): &(&str, &str)) -> Compiled {
    let claim = Claim {
        resource: Template::from(name),
        mode: ClaimMode::Exclusive,
        units: 1,
        expires: None,
        place: Place::root(),
    };
    Compiled {
        name: name.to_owned(),
        condition: Expression::parse(condition).expect("a shipped rule is tested"),
        claims: vec![claim],
    }
}

/// Adds to each task of a document and its sub-flows what its rules find, and says so in [`Definition::found`]. A second
/// time nothing is added.
///
/// # Errors
/// Rules that cannot be read; nothing is added then.
pub fn find_resources(definition: &mut Arc<Definition>) -> Result<(), Vec<Fault>> {
    let mut faults = Vec::new();
    // Most documents say nothing that a rule could go by.
    if concerns(definition) {
        apply(Arc::make_mut(definition), &mut faults);
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn concerns(definition: &Definition) -> bool {
    let tells = |node: &Node| node.agent.is_some() || node.task_type.is_some() || node.context.is_some();
    !definition.resource_rules.rules.is_empty()
        || any_node(&definition.root, &tells)
        || definition.flows.values().any(|flow| concerns(flow))
}

fn any_node(scope: &Scope, holds: &dyn Fn(&Node) -> bool) -> bool {
    scope.nodes.iter().any(|node| holds(node) || node.kind.body().is_some_and(|body| any_node(body, holds)))
}

fn apply(definition: &mut Definition, faults: &mut Vec<Fault>) {
    let own: Vec<Compiled> =
        definition.resource_rules.rules.iter().filter_map(|rule| compiled(rule, faults)).collect();
    let shipped = if definition.resource_rules.shipped { SHIPPED_RULES.as_slice() } else { &[] };
    let rules: Vec<&Compiled> = shipped.iter().chain(&own).collect();
    let mut found = Vec::new();
    if faults.is_empty() {
        apply_to(&mut definition.root, &rules, &mut found, faults);
    }
    definition.found.extend(found);
    for flow in definition.flows.values_mut() {
        if concerns(flow) {
            apply(Arc::make_mut(flow), faults);
        }
    }
}

fn compiled(rule: &ResourceRule, faults: &mut Vec<Fault>) -> Option<Compiled> {
    let place = || rule.place.member("if");
    let condition = match Expression::parse(&rule.condition.0) {
        Ok(condition) => condition,
        Err(error) => {
            let fault = Fault::error(codes::BAD_EXPRESSION, place(), error.to_string());
            faults.push(fault.label("not understood"));
            return None;
        }
    };
    if let Some(path) = condition.paths().into_iter().find(|path| !HEADS.contains(&&*path.head)) {
        let message = format!("a rule knows nothing of `{}`", path.head);
        let fault = Fault::error(codes::UNKNOWN_NAME, place(), message).label("unknown name");
        faults.push(fault.hint(format!("it may ask for {}", HEADS.join(", "))));
        return None;
    }
    Some(Compiled { name: rule.name.clone(), condition, claims: rule.claims.clone() })
}

fn apply_to(scope: &mut Scope, rules: &[&Compiled], found: &mut Vec<FoundClaim>, faults: &mut Vec<Fault>) {
    for node in &mut scope.nodes {
        match &mut node.kind {
            Kind::Each(each) => apply_to(&mut each.body, rules, found, faults),
            Kind::Loop(repeat) => apply_to(&mut repeat.body, rules, found, faults),
            Kind::Command(_) | Kind::Http(_) | Kind::Remote(_) => find_for(node, rules, found, faults),
            Kind::Wait(_)
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
}

fn find_for(node: &mut Node, rules: &[&Compiled], found: &mut Vec<FoundClaim>, faults: &mut Vec<Fault>) {
    for rule in rules {
        match rule.condition.truth(&Told(node)) {
            Ok(false) => continue,
            Ok(true) => {}
            Err(error) => {
                let message = format!("the rule `{}` cannot judge `{}`: {error}", rule.name, node.name);
                faults.push(Fault::error(codes::NO_CONDITION, node.place.clone(), message));
                continue;
            }
        }
        for claim in &rule.claims {
            // What the task says itself counts.
            if node.claims.iter().any(|own| own.resource == claim.resource) {
                continue;
            }
            node.claims.push(Claim { place: node.place.clone(), ..claim.clone() });
            let resource = claim.resource.0.clone();
            found.push(FoundClaim { task: node.place.clone(), resource, rule: rule.name.clone() });
        }
    }
}

/// What a rule sees of a task.
struct Told<'a>(&'a Node);

impl Lookup for Told<'_> {
    fn lookup(&self, head: &str, steps: &[Step]) -> Option<Payload> {
        let node = self.0;
        let text = match head {
            "type" => node.task_type.as_deref(),
            "agent" => node.agent.as_ref().map(|agent| agent.0.as_str()),
            "name" => Some(node.name.as_str()),
            "description" => Some(node.description.as_str()),
            "context" => return navigate(&node.context.as_ref()?.0, steps),
            _ => None,
        };
        text.filter(|_| steps.is_empty()).map(Payload::string)
    }
}

#[cfg(test)]
mod tests {
    use partitur_model::definition::{Command, Expression as Source, ResourceRules, TemplateTree};

    use super::*;

    fn task(name: &str, task_type: &str, agent: &str, context: &str) -> Node {
        Node {
            task_type: Some(task_type.to_owned()),
            agent: Some(agent.into()),
            context: Some(TemplateTree(Payload::parse(context).unwrap())),
            ..Node::new(name, Kind::Command(Command::default()))
        }
    }

    fn found(nodes: Vec<Node>, rules: ResourceRules) -> Vec<String> {
        let root = Scope { nodes, edges: Vec::new() };
        let mut definition = Arc::new(Definition { root, resource_rules: rules, ..Definition::default() });
        find_resources(&mut definition).unwrap();
        let once = definition.clone();
        find_resources(&mut definition).unwrap();
        assert_eq!(once, definition);
        let told = |found: &FoundClaim| format!("{} {} by {}", found.task, found.resource, found.rule);
        definition.found.iter().map(told).collect()
    }

    fn specialists() -> Vec<Node> {
        vec![
            task("api", "api_implementation", "backend_specialist_1", r#"{"endpoints": ["users"]}"#),
            task("page", "component_development", "frontend_specialist_1", r#"{"components": ["List"]}"#),
            task("docs", "api_documentation", "documentation_specialist_1", r#"{"apis": ["REST"]}"#),
            task("schema", "schema_migration", "database_specialist", "{}"),
            task("item", "processing_task", "agent_0", r#"{"requires_gpu": true}"#),
        ]
    }

    #[test]
    fn the_shipped_rules_find_what_specialists_share() {
        let rules = ResourceRules::default();
        insta::assert_snapshot!(found(specialists(), rules).join("\n"), @r"
        tasks.api backend_services by backend_services
        tasks.page frontend_assets by frontend_assets
        tasks.page ui_components by ui_components
        tasks.docs documentation_files by documentation_files
        tasks.schema database_config by database_config
        ");
    }

    #[test]
    fn own_rules_add_to_them_or_stand_alone() {
        let claim =
            Claim { resource: "gpu_compute".into(), units: 2, ..shipped(&SHIPPED[0]).claims.remove(0) };
        let rule = ResourceRule {
            name: "gpu".to_owned(),
            condition: Source("context.requires_gpu".to_owned()),
            claims: vec![claim],
            place: Place::root(),
        };
        let rules = ResourceRules { shipped: false, rules: vec![rule] };
        assert_eq!(found(specialists(), rules), ["tasks.item gpu_compute by gpu"]);
    }

    #[test]
    fn a_rule_that_cannot_be_meant_is_refused() {
        let rule = ResourceRule {
            name: "x".to_owned(),
            condition: Source("contxt.gpu".to_owned()),
            claims: Vec::new(),
            place: Place::root(),
        };
        let resource_rules = ResourceRules { shipped: true, rules: vec![rule] };
        let mut definition = Arc::new(Definition { resource_rules, ..Definition::default() });
        let faults = find_resources(&mut definition).unwrap_err();
        assert_eq!(faults[0].message, "a rule knows nothing of `contxt`");
    }
}
