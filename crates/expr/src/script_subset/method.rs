//! Methods of strings, and of lists of the input.

use super::value::{Js, is_space, same};
use crate::json::Node;

/// A method that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Includes,
    IndexOf,
    StartsWith,
    EndsWith,
    Trim,
    ToLowerCase,
    ToUpperCase,
    ToString,
}

impl Method {
    /// The method of this name.
    pub(super) fn named(name: &str) -> Option<Method> {
        Some(match name {
            "includes" => Method::Includes,
            "indexOf" => Method::IndexOf,
            "startsWith" => Method::StartsWith,
            "endsWith" => Method::EndsWith,
            "trim" => Method::Trim,
            "toLowerCase" => Method::ToLowerCase,
            "toUpperCase" => Method::ToUpperCase,
            "toString" => Method::ToString,
            _ => return None,
        })
    }

    /// Whether it is given something.
    pub(super) fn has_argument(self) -> bool {
        match self {
            Method::Includes | Method::IndexOf | Method::StartsWith | Method::EndsWith => true,
            Method::Trim | Method::ToLowerCase | Method::ToUpperCase | Method::ToString => false,
        }
    }
}

/// What the method makes of a value. `None` if the value has no such method, or the argument would be converted.
pub(super) fn call(method: Method, of: &Js, argument: Option<&Js>) -> Option<Js> {
    match (of, argument) {
        (Js::Text(text), Some(Js::Text(part))) => Some(about_part(method, text, part)),
        (Js::Text(text), None) => changed(method, text),
        (Js::Object(list), Some(wanted)) => in_list(method, Node::Whole(list), wanted),
        (Js::Truth(_) | Js::Number(_), None) if method == Method::ToString => of.written().map(Js::Text),
        (
            Js::Undefined
            | Js::Null
            | Js::Truth(_)
            | Js::Number(_)
            | Js::Text(_)
            | Js::Object(_)
            | Js::Made(_),
            Some(_) | None,
        ) => None,
    }
}

fn about_part(method: Method, text: &str, part: &str) -> Js {
    let position = || match text.find(part) {
        Some(at) => text[..at].encode_utf16().count() as f64,
        None => -1.0,
    };
    match method {
        Method::Includes => Js::Truth(text.contains(part)),
        Method::IndexOf => Js::Number(position()),
        Method::StartsWith => Js::Truth(text.starts_with(part)),
        Method::EndsWith => Js::Truth(text.ends_with(part)),
        Method::Trim | Method::ToLowerCase | Method::ToUpperCase | Method::ToString => {
            unreachable!("the parser gives these no argument")
        }
    }
}

/// Beyond ASCII, what the other case of a letter is depends on the version of Unicode.
fn changed(method: Method, text: &str) -> Option<Js> {
    match method {
        Method::Trim => Some(Js::text(text.trim_matches(is_space))),
        Method::ToLowerCase => text.is_ascii().then(|| Js::text(&text.to_ascii_lowercase())),
        Method::ToUpperCase => text.is_ascii().then(|| Js::text(&text.to_ascii_uppercase())),
        Method::ToString => Some(Js::text(text)),
        Method::Includes | Method::IndexOf | Method::StartsWith | Method::EndsWith => None,
    }
}

/// Elements are compared as `===` does; JSON has no NaN, of which `includes` thinks otherwise.
fn in_list(method: Method, list: Node<'_>, wanted: &Js) -> Option<Js> {
    let is_plain = !matches!(wanted, Js::Object(_) | Js::Made(_));
    let elements = list.elements().filter(|_| is_plain)?;
    let mut found = None;
    for (at, element) in elements.into_iter().enumerate() {
        if same(&Js::of_node(element)?, wanted)? {
            found = Some(at);
            break;
        }
    }
    match method {
        Method::Includes => Some(Js::Truth(found.is_some())),
        Method::IndexOf => Some(Js::Number(found.map_or(-1.0, |at| at as f64))),
        Method::StartsWith
        | Method::EndsWith
        | Method::Trim
        | Method::ToLowerCase
        | Method::ToUpperCase
        | Method::ToString => None,
    }
}
