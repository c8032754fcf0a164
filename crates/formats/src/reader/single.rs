//! Single values: texts, numbers, durations, words, and any value as JSON.

use std::time::Duration;

use partitur_model::definition::{Expression, Template, TemplateTree};
use partitur_model::unit::parse_duration;
use partitur_model::{Fault, Payload, RawJson};

use super::{At, Reader, listed, shorten, with_meant};
use crate::codes;
use crate::scalar::{self, Plain};
use crate::tree::Form;

impl<'t> Reader<'t> {
    /// Says what was expected and what stands there.
    pub(crate) fn expected(&mut self, at: At<'_>, wanted: &str) {
        let text = self.tree.text(at.item);
        let found = match self.is_scalar(at) {
            true if self.is_null(at) => "nothing".to_owned(),
            true if text.is_empty() => "an empty text".to_owned(),
            true => format!("`{}`", shorten(text)),
            false => self.form(at).noun().to_owned(),
        };
        let text = format!("expected {wanted}, found {found}");
        self.fault(Fault::error(codes::WRONG_TYPE, at.place(), text).label(format!("not {wanted}")));
    }

    /// A scalar's text as it was written; null is none.
    pub(crate) fn text(&mut self, at: At<'_>) -> Option<&'t str> {
        if !self.is_scalar(at) || self.is_null(at) {
            self.expected(at, "a text");
            return None;
        }
        let text = self.tree.text(at.item);
        // The file holds none, so only an escape can be one. No program takes it, and no file is called so.
        if self.tree.text_start(at.item).is_none() && text.contains('\0') {
            self.fault(
                Fault::error(codes::BAD_VALUE, at.place(), "the text holds a NUL").label("not possible"),
            );
            return None;
        }
        Some(text)
    }

    pub(crate) fn string(&mut self, at: At<'_>) -> Option<String> {
        self.text(at).map(str::to_owned)
    }

    pub(crate) fn template(&mut self, at: At<'_>) -> Option<Template> {
        self.text(at).map(Template::from)
    }

    /// An expression; `${…}` around it is a mistake that many will make.
    pub(crate) fn expression(&mut self, at: At<'_>) -> Option<Expression> {
        let text = self.text(at)?;
        let inner = text.trim();
        if inner.is_empty() {
            self.expected(at, "an expression");
            return None;
        }
        if inner.starts_with("${") {
            let bare =
                inner.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).unwrap_or("a.output.b > 0");
            let fault =
                Fault::error(codes::WRAPPED_EXPRESSION, at.place(), "an expression stands without `${…}`")
                    .label("already an expression")
                    .hint(format!("write `{}`", shorten(bare)));
            self.fault(fault);
            return None;
        }
        Some(Expression(text.to_owned()))
    }

    pub(crate) fn flag(&mut self, at: At<'_>) -> Option<bool> {
        if self.form(at) == Form::Plain
            && let Plain::Truth(truth) = scalar::plain(self.tree.text(at.item))
        {
            return Some(truth);
        }
        let meant = match self.tree.text(at.item) {
            "yes" | "on" | "Yes" | "On" | "YES" | "ON" | "1" => Some("true"),
            "no" | "off" | "No" | "Off" | "NO" | "OFF" | "0" => Some("false"),
            _ => None,
        };
        self.expected(at, "`true` or `false`");
        if let (Some(meant), Some(fault)) = (meant, self.faults.last_mut()) {
            fault.hint = Some(format!("write `{meant}`"));
        }
        None
    }

    /// A whole number of at least `min`.
    pub(crate) fn count(&mut self, at: At<'_>, min: u32) -> Option<u32> {
        let digits = match self.plain_number(at) {
            Some(digits) => digits,
            None => {
                self.expected(at, "a whole number");
                return None;
            }
        };
        match digits.parse::<u32>() {
            Ok(count) if count >= min => Some(count),
            Ok(_) | Err(_) => {
                let text = format!("`{}` is no whole number from {min} to {}", shorten(&digits), u32::MAX);
                self.fault(Fault::error(codes::BAD_VALUE, at.place(), text).label("out of range"));
                None
            }
        }
    }

    /// A number of at least `min`.
    pub(crate) fn number(&mut self, at: At<'_>, min: u32) -> Option<f64> {
        let Some(digits) = self.plain_number(at) else {
            self.expected(at, "a number");
            return None;
        };
        match digits.parse::<f64>() {
            Ok(number) if number.is_finite() && number >= f64::from(min) => Some(number),
            Ok(_) | Err(_) => {
                let text = format!("`{}` is less than {min} or too large", shorten(&digits));
                self.fault(Fault::error(codes::BAD_VALUE, at.place(), text).label("out of range"));
                None
            }
        }
    }

    fn plain_number(&self, at: At<'_>) -> Option<String> {
        if self.form(at) != Form::Plain {
            return None;
        }
        match scalar::plain(self.tree.text(at.item)) {
            Plain::Number(digits) => Some(digits),
            Plain::Null | Plain::Truth(_) | Plain::NoJson | Plain::Text => None,
        }
    }

    pub(crate) fn duration(&mut self, at: At<'_>) -> Option<Duration> {
        let text = self.text(at)?;
        match parse_duration(text) {
            Ok(duration) => Some(duration),
            Err(error) => {
                self.fault(Fault::error(codes::BAD_TIME, at.place(), error.to_string()).label("no duration"));
                None
            }
        }
    }

    /// One of the words of a table.
    pub(crate) fn word<T: Copy>(&mut self, at: At<'_>, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(at)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        if self.is_full() {
            return None;
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let message = format!("`{}` is none of {}", shorten(text), listed(&known));
        let fault = Fault::error(codes::BAD_VALUE, at.place(), message).label("unknown word");
        self.fault(with_meant(fault, text, known));
        None
    }

    /// Any value as JSON.
    pub(crate) fn payload(&mut self, at: At<'_>) -> Payload {
        let mut json = String::new();
        self.write_json(at, &mut json);
        Payload::from(RawJson::trusted(json))
    }

    pub(crate) fn value_tree(&mut self, at: At<'_>) -> TemplateTree {
        TemplateTree(self.payload(at))
    }

    fn write_json(&mut self, at: At<'_>, out: &mut String) {
        match self.form(at) {
            Form::Plain => match scalar::to_payload(self.tree.text(at.item), false) {
                Some(value) => value.render_into(out),
                None => {
                    self.expected(at, "a value that JSON has");
                    out.push_str("null");
                }
            },
            Form::Quoted | Form::Literal | Form::Folded => {
                Payload::string(self.tree.text(at.item)).render_into(out);
            }
            Form::List => {
                out.push('[');
                for (index, item) in self.tree.parts(at.item).enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    self.write_json(at.element(index, item), out);
                }
                out.push(']');
            }
            Form::Map => {
                out.push('{');
                for (index, (name, item)) in self.entries(at).into_iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    Payload::string(name).render_into(out);
                    out.push(':');
                    self.write_json(at.member(name, item), out);
                }
                out.push('}');
            }
        }
    }
}
