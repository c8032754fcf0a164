//! Values while an expression is evaluated.

use std::sync::Arc;

use partitur_model::{Payload, RawJson};

use crate::json::{Kind, Node};

/// A payload of which the kind is known; lists and objects stay as they are.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Truth(bool),
    /// The digits as they came.
    Number(RawJson),
    Text(Arc<str>),
    List(Payload),
    Object(Payload),
}

impl Value {
    pub(crate) fn number(digits: impl ToString) -> Value {
        Value::Number(RawJson::trusted(digits.to_string()))
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Value::Null => Kind::Null,
            Value::Truth(_) => Kind::Truth,
            Value::Number(_) => Kind::Number,
            Value::Text(_) => Kind::Text,
            Value::List(_) => Kind::List,
            Value::Object(_) => Kind::Object,
        }
    }

    pub(crate) fn noun(&self) -> &'static str {
        self.kind().noun()
    }

    pub(crate) fn into_payload(self) -> Payload {
        match self {
            Value::Null => Payload::Null,
            Value::Truth(truth) => Payload::from(truth),
            Value::Number(digits) => Payload::from(digits),
            Value::Text(text) => Payload::string(&text),
            Value::List(payload) | Value::Object(payload) => payload,
        }
    }
}

impl From<Payload> for Value {
    fn from(payload: Payload) -> Value {
        let node = Node::Whole(&payload);
        match node.kind() {
            Kind::Null => Value::Null,
            Kind::Truth => Value::Truth(node.source() == "true"),
            Kind::Number => Value::Number(payload.to_raw()),
            Kind::Text => Value::Text(node.text().unwrap_or_default().into()),
            Kind::List => Value::List(payload),
            Kind::Object => Value::Object(payload),
        }
    }
}

/// A value as it stands in a text: strings without quotes, everything else as JSON.
pub(crate) fn push_text(payload: &Payload, out: &mut String) {
    match Node::Whole(payload).text() {
        Some(text) => out.push_str(&text),
        None => payload.render_into(out),
    }
}
