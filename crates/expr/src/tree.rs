//! JSON in whose strings `${…}` is replaced.

use std::sync::Arc;

use partitur_model::value::DEPTH_MAX;
use partitur_model::{Payload, Place};

use crate::Lookup;
use crate::error::ParseError;
use crate::json::{Kind, Node};
use crate::path::Path;
use crate::template::Template;

/// JSON in whose strings, not keys, `${…}` is replaced; a string that is exactly one `${…}` takes the value's type.
/// Parts without `${…}` stay the bytes that came.
#[derive(Clone, Debug)]
pub struct Tree {
    root: Branch,
}

#[derive(Clone, Debug)]
enum Branch {
    Constant(Payload),
    Text(Template),
    List(Box<[Branch]>),
    Object(Box<[(Arc<str>, Branch)]>),
}

impl Tree {
    /// Reads a payload.
    ///
    /// # Errors
    /// All that is wrong, each with its place inside, as `a.b[0]`.
    pub fn parse(payload: &Payload) -> Result<Tree, Vec<(String, ParseError)>> {
        let mut reader = Reader { errors: Vec::new(), escapes: 0 };
        let root = reader.branch(Node::Whole(payload), &Place::root(), 0);
        if reader.errors.is_empty() { Ok(Tree { root }) } else { Err(reader.errors) }
    }

    /// The JSON with all values filled in.
    pub fn resolve(&self, lookup: &dyn Lookup) -> Payload {
        resolve_branch(&self.root, lookup)
    }

    /// The paths that are looked up; see [`Template::paths`].
    pub fn paths(&self) -> Vec<&Path> {
        self.templates().into_iter().flat_map(Template::paths).collect()
    }

    /// Whether a name itself is only known when values are; see [`Template::has_open_head`].
    pub fn has_open_head(&self) -> bool {
        self.templates().into_iter().any(Template::has_open_head)
    }

    /// Whether nothing is replaced.
    pub fn is_constant(&self) -> bool {
        self.root.constant().is_some()
    }

    /// Whether this may yield an object: it is one, or a single `${…}`.
    pub(crate) fn may_be_object(&self) -> bool {
        match &self.root {
            Branch::Constant(payload) => Node::Whole(payload).kind() == Kind::Object,
            Branch::Text(template) => !template.paths().is_empty() || template.has_open_head(),
            Branch::List(_) => false,
            Branch::Object(_) => true,
        }
    }

    fn templates(&self) -> Vec<&Template> {
        let mut templates = Vec::new();
        collect_templates(&self.root, &mut templates);
        templates
    }
}

struct Reader {
    errors: Vec<(String, ParseError)>,
    /// How many constant texts stand for another text (`$${x}`).
    escapes: usize,
}

impl Reader {
    fn branch(&mut self, node: Node<'_>, place: &Place, depth: usize) -> Branch {
        if depth > DEPTH_MAX {
            self.errors
                .push((place.0.clone(), ParseError::new(0..0, format!("nested more than {DEPTH_MAX} deep"))));
            return Branch::Constant(Payload::Null);
        }
        match node.kind() {
            Kind::Null | Kind::Truth | Kind::Number => Branch::Constant(node.to_payload()),
            Kind::Text => self.text(node, place),
            Kind::List => self.list(node, place, depth),
            Kind::Object => self.object(node, place, depth),
        }
    }

    fn list(&mut self, node: Node<'_>, place: &Place, depth: usize) -> Branch {
        let escapes = self.escapes;
        let elements = node.elements().unwrap_or_default().into_iter().enumerate();
        let parts: Box<[Branch]> =
            elements.map(|(at, part)| self.branch(part, &place.element(at), depth + 1)).collect();
        match parts.iter().map(Branch::constant).collect::<Option<Vec<_>>>() {
            None => Branch::List(parts),
            Some(_) if self.escapes == escapes => Branch::Constant(node.to_payload()),
            Some(constants) => Branch::Constant(Payload::list(constants.into_iter().cloned())),
        }
    }

    fn object(&mut self, node: Node<'_>, place: &Place, depth: usize) -> Branch {
        let escapes = self.escapes;
        let mut parts: Vec<(Arc<str>, Branch)> = Vec::new();
        for (key, part) in node.entries().unwrap_or_default() {
            let branch = self.branch(part, &place.member(&key), depth + 1);
            parts.push((key.into(), branch));
        }
        let constant = |(key, part): &(Arc<str>, Branch)| Some((key.clone(), part.constant()?.clone()));
        match parts.iter().map(constant).collect::<Option<Vec<_>>>() {
            None => Branch::Object(parts.into()),
            Some(_) if self.escapes == escapes => Branch::Constant(node.to_payload()),
            Some(constants) => Branch::Constant(Payload::object(constants)),
        }
    }

    fn text(&mut self, node: Node<'_>, place: &Place) -> Branch {
        let text = node.text().unwrap_or_default();
        match Template::parse(&text) {
            Err(error) => {
                self.errors.push((place.0.clone(), error));
                Branch::Constant(Payload::Null)
            }
            Ok(template) => match template.constant() {
                Some(constant) if constant == text => Branch::Constant(node.to_payload()),
                Some(constant) => {
                    self.escapes += 1;
                    Branch::Constant(Payload::string(constant))
                }
                None => Branch::Text(template),
            },
        }
    }
}

impl Branch {
    fn constant(&self) -> Option<&Payload> {
        match self {
            Branch::Constant(payload) => Some(payload),
            Branch::Text(_) | Branch::List(_) | Branch::Object(_) => None,
        }
    }
}

fn resolve_branch(branch: &Branch, lookup: &dyn Lookup) -> Payload {
    match branch {
        Branch::Constant(payload) => payload.clone(),
        Branch::Text(template) => template.resolve(lookup),
        Branch::List(parts) => Payload::list(parts.iter().map(|part| resolve_branch(part, lookup))),
        Branch::Object(parts) => {
            Payload::object(parts.iter().map(|(key, part)| (key.clone(), resolve_branch(part, lookup))))
        }
    }
}

fn collect_templates<'a>(branch: &'a Branch, templates: &mut Vec<&'a Template>) {
    match branch {
        Branch::Constant(_) => {}
        Branch::Text(template) => templates.push(template),
        Branch::List(parts) => parts.iter().for_each(|part| collect_templates(part, templates)),
        Branch::Object(parts) => parts.iter().for_each(|(_, part)| collect_templates(part, templates)),
    }
}
