//! One condition: a field, an operator, values.

use super::{BadQuery, Condition, Field, Pattern, Test, VALUES_MAX};

/// The conditions of a query: its parts between `AND`s that stand outside of quotes and parentheses and belong to no
/// `BETWEEN`.
pub fn clauses(text: &str) -> Vec<&str> {
    let (mut clauses, mut start, mut between) = (Vec::new(), 0, false);
    for (at, word) in bare_words(text) {
        if word.eq_ignore_ascii_case("BETWEEN") {
            between = true;
        } else if word.eq_ignore_ascii_case("AND") && !std::mem::take(&mut between) {
            clauses.push(text[start..at].trim());
            start = at + word.len();
        }
    }
    clauses.push(text[start..].trim());
    clauses
}

/// The words outside of quotes and parentheses, with their places.
fn bare_words(text: &str) -> Vec<(usize, &str)> {
    let (mut words, mut start, mut quote, mut depth, mut escaped) = (Vec::new(), None, None, 0_u32, false);
    for (at, c) in text.char_indices() {
        let is_letter = quote.is_none() && depth == 0 && (c.is_alphanumeric() || c == '_');
        if let Some(from) = start.filter(|_| !is_letter) {
            words.push((from, &text[from..at]));
        }
        let is_within_word = start.is_some();
        start = is_letter.then(|| start.unwrap_or(at));
        match (quote, c) {
            _ if std::mem::take(&mut escaped) => {}
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            // An apostrophe within a word opens nothing.
            (None, '"' | '\'') if !is_within_word => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
    }
    words.extend(start.map(|from| (from, &text[from..])));
    words
}

/// Reads one condition.
pub fn condition(text: &str) -> Result<Condition, BadQuery> {
    let bad = |why: &str| BadQuery(format!("`{text}` is no condition: {why}"));
    let end = text.find(|c: char| !(c.is_alphanumeric() || "_.-".contains(c))).unwrap_or(text.len());
    let (field, rest) = text.split_at(end);
    if field.is_empty() {
        return Err(bad("it does not begin with a field"));
    }
    let rest = rest.trim_start();
    let test = test(rest).ok_or_else(|| bad("no operator follows the field"))?.map_err(|why| bad(&why))?;
    Ok(Condition { field: Field::parse(field), test })
}

/// Reads what follows an operator.
type ReadTest = fn(&str) -> Result<Test, String>;

/// What follows the field; nothing if that begins with no operator.
fn test(text: &str) -> Option<Result<Test, String>> {
    let symbols: [(&str, ReadTest); 6] = [
        ("!=", |rest| one(rest).map(|value| Test::NotIn(vec![value]))),
        (">=", |rest| whole(rest).map(|from| Test::Range(Some(from), None))),
        ("<=", |rest| whole(rest).map(|to| Test::Range(None, Some(to)))),
        (">", |rest| whole(rest).map(|from| Test::Range(Some(from.saturating_add(1)), None))),
        ("<", |rest| whole(rest).map(|to| Test::Range(None, Some(to.saturating_sub(1))))),
        ("=", |rest| one(rest).map(|value| Test::In(vec![value]))),
    ];
    if let Some((symbol, read)) = symbols.iter().find(|(symbol, _)| text.starts_with(symbol)) {
        return Some(read(text[symbol.len()..].trim()));
    }
    let words: [(&str, ReadTest); 5] = [
        ("NOT IN", |rest| list(rest).map(Test::NotIn)),
        ("IN", |rest| list(rest).map(Test::In)),
        ("BETWEEN", between),
        ("STARTS_WITH", |rest| unquoted(rest).map(Test::StartsWith)),
        ("IS", is_there),
    ];
    let after = |word: &str| {
        let head = text.get(..word.len()).filter(|head| head.eq_ignore_ascii_case(word))?;
        let rest = &text[head.len()..];
        (!rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')).then(|| rest.trim())
    };
    words.iter().find_map(|(word, read)| after(word).map(read))
}

fn one(text: &str) -> Result<Pattern, String> {
    unquoted(text).map(Pattern::new)
}

fn whole(text: &str) -> Result<i64, String> {
    let value = unquoted(text)?;
    value.trim().parse().map_err(|_| format!("`{value}` is no number"))
}

fn between(text: &str) -> Result<Test, String> {
    let and = bare_words(text).into_iter().find(|(_, word)| word.eq_ignore_ascii_case("AND"));
    let (at, word) = and.ok_or("BETWEEN needs two values with AND between them")?;
    Ok(Test::Range(Some(whole(text[..at].trim())?), Some(whole(text[at + word.len()..].trim())?)))
}

fn is_there(text: &str) -> Result<Test, String> {
    match text.to_ascii_uppercase().split_whitespace().collect::<Vec<_>>()[..] {
        ["NULL"] => Ok(Test::IsThere(false)),
        ["NOT", "NULL"] => Ok(Test::IsThere(true)),
        _ => Err("IS is followed by NULL or NOT NULL".to_owned()),
    }
}

/// `(a, 'b', "c")`; one value needs no parentheses.
fn list(text: &str) -> Result<Vec<Pattern>, String> {
    let inner = match text.strip_prefix('(') {
        Some(rest) => rest.strip_suffix(')').ok_or("`(` has no `)`")?,
        None => text,
    };
    let (mut values, mut start, mut quote, mut escaped) = (Vec::new(), 0, None, false);
    for (at, c) in inner.char_indices() {
        match (quote, c) {
            _ if std::mem::take(&mut escaped) => {}
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if open == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, ',') => {
                values.push(one(inner[start..at].trim())?);
                start = at + 1;
            }
            _ => {}
        }
    }
    values.push(one(inner[start..].trim())?);
    if values.len() > VALUES_MAX {
        return Err(format!("there are {} values; {VALUES_MAX} are allowed", values.len()));
    }
    Ok(values)
}

/// A value without its quotes.
fn unquoted(text: &str) -> Result<String, String> {
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        return if text.is_empty() { Err("a value is missing".to_owned()) } else { Ok(text.to_owned()) };
    };
    let mut value = String::new();
    let mut rest = text[1..].chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => value.extend(rest.next()),
            _ if c == quote && rest.as_str().is_empty() => return Ok(value),
            _ if c == quote => return Err(format!("`{}` follows the value", rest.as_str().trim())),
            _ => value.push(c),
        }
    }
    Err(format!("{quote} is not closed"))
}
