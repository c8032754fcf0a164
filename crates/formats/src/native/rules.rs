//! `resource-rules`: what tasks hold without saying so themselves.

use partitur_model::definition::{Claim, Expression, ResourceRule, ResourceRules};

use super::claims;
use crate::keys::{Block, Key, Shape, texts};
use crate::reader::{At, Reader};
use crate::tree::Form;

/// Rules of one's own, or a block that also says whether those that ship hold.
pub(super) const RULES: Shape =
    Shape::Either(&[Shape::Flag, Shape::List(&Shape::Block(&RESOURCE_RULE)), Shape::Block(&RESOURCE_RULES)]);

static RESOURCE_RULES: Block = Block {
    name: "resource-rules",
    about: "`resource-rules`",
    required: &[],
    ignored_prefix: None,
    keys: || texts(RESOURCE_RULES_KEYS),
};

static RESOURCE_RULES_KEYS: &[Key<ResourceRules>] = &[
    Key {
        name: "shipped",
        about: "whether the rules that ship hold; true",
        shape: Shape::Flag,
        read: |reader, rules, at| rules.shipped = reader.flag(at).unwrap_or(rules.shipped),
    },
    Key {
        name: "rules",
        about: "rules of one's own",
        shape: Shape::List(&Shape::Block(&RESOURCE_RULE)),
        read: |reader, rules, at| rules.rules = read_own(reader, at),
    },
];

static RESOURCE_RULE: Block = Block {
    name: "resource-rule",
    about: "an entry of `resource-rules`",
    required: &["if", "locks"],
    ignored_prefix: None,
    keys: || texts(RESOURCE_RULE_KEYS),
};

#[derive(Default)]
struct RuleDraft {
    name: Option<String>,
    condition: Option<Expression>,
    claims: Vec<Claim>,
}

static RESOURCE_RULE_KEYS: &[Key<RuleDraft>] = &[
    Key {
        name: "name",
        about: "its name, where it is told what was found",
        shape: Shape::Text,
        read: |reader, draft, at| draft.name = reader.string(at),
    },
    Key {
        name: "if",
        about: "for which tasks it holds: an expression over `type`, `agent`, `context`, `name` and `description`",
        shape: Shape::Expression,
        read: |reader, draft, at| draft.condition = reader.expression(at),
    },
    Key {
        name: "locks",
        about: "what these tasks hold, as under a task's `locks`",
        shape: Shape::OneOrMany(&Shape::Either(&[Shape::Template, Shape::Block(&claims::CLAIM)])),
        read: |reader, draft, at| draft.claims = claims::read_claims(reader, at),
    },
];

/// `false` for none, a list of one's own, or a block.
pub(super) fn read_rules(reader: &mut Reader<'_>, at: At<'_>) -> ResourceRules {
    let mut rules = ResourceRules::default();
    match reader.form(at) {
        Form::Map => {
            reader.block(at, &RESOURCE_RULES, RESOURCE_RULES_KEYS, &mut rules);
        }
        Form::List => rules.rules = read_own(reader, at),
        Form::Plain | Form::Quoted | Form::Literal | Form::Folded => {
            rules.shipped = reader.flag(at).unwrap_or(rules.shipped);
        }
    }
    rules
}

fn read_own(reader: &mut Reader<'_>, at: At<'_>) -> Vec<ResourceRule> {
    let mut number = 0;
    reader.list(at, |reader, at| {
        number += 1;
        let mut draft = RuleDraft::default();
        reader.block(at, &RESOURCE_RULE, RESOURCE_RULE_KEYS, &mut draft);
        let name = draft.name.unwrap_or_else(|| format!("rule-{number}"));
        Some(ResourceRule { name, condition: draft.condition?, claims: draft.claims, place: at.place() })
    })
}
