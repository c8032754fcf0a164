//! jq, by jaq: what can be asked of a value. Not here: `env`, `input` and `halt`, which are about a process.

use std::rc::Rc;

use jaq_core::load::{Arena, File, Loader, lex, parse};
use jaq_core::{Compiler, Ctx, Filter, Vars, data, load, unwrap_valr};
use jaq_json::{Num, Val, read};
use partitur_model::value::DEPTH_MAX;

use super::cache::Cache;
use super::{Outcome, failed, too_large};
use crate::Wanted;
use crate::error::{Place, ScriptError};
use crate::frame::Asked;

type Compiled = Filter<data::JustLut<Val>>;

/// What is about a process and not about values.
const LEFT_OUT: [&str; 7] = ["env", "input", "inputs", "halt", "halt_error", "stderr", "stderr_empty"];

/// What jq 1.6 has and jaq has not.
const OURS: &str = include_str!("prelude.jq");

/// So many filters are kept. Each takes about 140 kB, for it holds the whole library.
const FILTERS_MAX: usize = 64;

/// Evaluates jq.
pub(super) struct Jq {
    compiled: Cache<Rc<Compiled>>,
    result_max: usize,
}

impl Jq {
    pub fn new(result_max: usize) -> Jq {
        Jq { compiled: Cache::new(FILTERS_MAX), result_max }
    }

    pub fn answer(&mut self, asked: &Asked<'_>) -> Outcome {
        let filter = self.compiled.get_or(asked.source, |source| compile(source).map(Rc::new))?;
        if asked.wanted == Wanted::Syntax {
            return Ok("null".to_owned());
        }
        let input = read::parse_single(asked.input.as_bytes()).map_err(|error| failed(error.to_string()))?;
        let ctx = Ctx::<data::JustLut<Val>>::new(&filter.lut, Vars::new([]));
        let mut list = String::from("[");
        let mut first = None;
        for output in filter.id.run((ctx, input)).map(unwrap_valr) {
            let output = output.map_err(|error| failed(format!("jq: {}", thrown(error.into_val()))))?;
            if first.is_some() {
                list.push(',');
            }
            write(&output, &mut list, 0)?;
            // The first stands twice in the answer.
            let first = *first.get_or_insert(list.len());
            if list.len() + first > self.result_max {
                return Err(too_large(list.len() + first, self.result_max));
            }
        }
        list.push(']');
        let result = first.map_or("null", |end| &list[1..end]);
        Ok(format!(r#"{{"result":{result},"resultList":{list}}}"#))
    }
}

fn compile(source: &str) -> Result<Compiled, ScriptError> {
    let is_ours = |name: &str| !LEFT_OUT.contains(&name);
    let ours = load::parse(OURS, |parser| parser.defs()).expect("our own definitions are jq");
    let theirs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let definitions = theirs.filter(|definition| is_ours(definition.name)).chain(ours);
    let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let arena = Arena::default();
    let modules = Loader::new(definitions)
        .load(&arena, File { code: source, path: () })
        .map_err(|errors| wrong(source, errors.into_iter().find_map(|(_, error)| load_fault(error))))?;
    Compiler::default().with_funs(functions.filter(|(name, ..)| is_ours(name))).compile(modules).map_err(
        |errors| wrong(source, errors.into_iter().flat_map(|(_, errors)| errors).map(undefined).next()),
    )
}

/// A sentence, and the part of the source that it is about.
type Fault<'s> = (String, &'s str);

fn load_fault(error: load::Error<&str>) -> Option<Fault<'_>> {
    match error {
        load::Error::Io(errors) => {
            errors.into_iter().next().map(|(path, _)| ("modules cannot be loaded here".to_owned(), path))
        }
        load::Error::Lex(errors) => errors.into_iter().next().map(lex_fault),
        load::Error::Parse(errors) => errors.into_iter().next().map(parse_fault),
    }
}

fn lex_fault((expected, found): lex::Error<&str>) -> Fault<'_> {
    (format!("expected {}", expected.as_str()), found)
}

fn parse_fault<'s>((expected, found): parse::Error<&'s str>) -> Fault<'s> {
    let what = if found.is_empty() { "the end".to_owned() } else { format!("`{}`", shortened(found)) };
    (format!("expected {}, found {what}", expected.as_str()), found)
}

fn undefined<'s>((name, kind): (&'s str, jaq_core::compile::Undefined)) -> Fault<'s> {
    (format!("there is no {} `{name}`", kind.as_str()), name)
}

fn shortened(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(20).collect()
}

fn wrong(source: &str, fault: Option<Fault<'_>>) -> ScriptError {
    let (message, at) = match fault {
        None => ("the filter cannot be read".to_owned(), None),
        // The end is an empty part of nowhere.
        Some((message, "")) => (message, Some(Place::of_offset(source, source.len()))),
        Some((message, part)) => (message, Some(Place::of_offset(source, load::span(source, part).start))),
    };
    ScriptError::Syntax { message: format!("jq: {message}"), at }
}

/// What was thrown: a sentence without quotes, or a value.
fn thrown(value: Val) -> String {
    match value {
        Val::TStr(text) => String::from_utf8_lossy(&text).into_owned(),
        other => other.to_string(),
    }
}

/// Appends `value` as JSON.
fn write(value: &Val, out: &mut String, depth: usize) -> Result<(), ScriptError> {
    if depth > DEPTH_MAX {
        return Err(failed(format!("jq: the result is nested more than {DEPTH_MAX} deep")));
    }
    match value {
        Val::Null => out.push_str("null"),
        Val::Bool(true) => out.push_str("true"),
        Val::Bool(false) => out.push_str("false"),
        Val::Num(number) => write_number(number, out),
        Val::BStr(bytes) | Val::TStr(bytes) => write_text(bytes, out),
        Val::Arr(elements) => {
            out.push('[');
            for (at, element) in elements.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(element, out, depth + 1)?;
            }
            out.push(']');
        }
        Val::Obj(members) => {
            out.push('{');
            for (at, (key, member)) in members.iter().enumerate() {
                let (Val::TStr(key) | Val::BStr(key)) = key else {
                    return Err(failed(format!("jq: the key {key} of an object is no string")));
                };
                if at > 0 {
                    out.push(',');
                }
                write_text(key, out);
                out.push(':');
                write(member, out, depth + 1)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn write_text(bytes: &[u8], out: &mut String) {
    out.push_str(&serde_json::Value::from(String::from_utf8_lossy(bytes)).to_string());
}

/// As jq 1.6 does: whole numbers without a fraction, whatever they were computed by; digits that came stay.
fn write_number(number: &Num, out: &mut String) {
    match number {
        Num::Int(whole) => out.push_str(&whole.to_string()),
        Num::BigInt(whole) => out.push_str(&whole.to_string()),
        Num::Float(float) => write_float(*float, out),
        Num::Dec(digits) => match serde_json::from_str::<serde_json::Number>(digits) {
            Ok(_) => out.push_str(digits),
            Err(_) => write_float(digits.parse().unwrap_or(f64::NAN), out),
        },
    }
}

/// Whole numbers up to here are exact.
const WHOLE_MAX: f64 = 1e17;

fn write_float(float: f64, out: &mut String) {
    if float.is_nan() {
        out.push_str("null");
    } else if float.is_infinite() {
        write_float(f64::MAX.copysign(float), out);
    } else if float.fract() == 0.0 && float.abs() < WHOLE_MAX {
        out.push_str(&(float as i64).to_string());
    } else {
        out.push_str(&serde_json::Value::from(float).to_string());
    }
}
