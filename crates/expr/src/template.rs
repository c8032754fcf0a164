//! Text in which `${…}` is replaced by values.

use partitur_model::Payload;

use crate::Lookup;
use crate::NESTING_MAX;
use crate::cursor::{Cursor, Language, check_length};
use crate::error::ParseError;
use crate::path::Path;
use crate::value::push_text;

/// Text in which `${path}` is replaced by the value of the path.
///
/// A text that is exactly one `${…}` takes the value's type. In a longer text, strings stand without quotes and
/// everything else as JSON. A missing value is `null`, `${}` is nothing, `$${x}` stands for `${x}`, and of
/// `${a.${b}}` the inner one comes first, as text.
#[derive(Clone, Debug)]
pub struct Template {
    segments: Box<[Segment]>,
}

#[derive(Clone, Debug)]
enum Segment {
    Text(Box<str>),
    Path(Path),
    /// A path that is known only when the inner template is.
    Nested {
        inner: Template,
        /// What is certain of the path.
        prefix: Option<Path>,
    },
}

impl Template {
    /// Reads a text.
    ///
    /// # Errors
    /// What is wrong with the first `${…}` that cannot be understood.
    pub fn parse(source: &str) -> Result<Template, ParseError> {
        check_length(source)?;
        parse_segments(source, 0, 0).map(Template::from)
    }

    /// The value: that of the path if the text is exactly one `${…}`, else a string.
    pub fn resolve(&self, lookup: &dyn Lookup) -> Payload {
        match &*self.segments {
            [Segment::Path(path)] => lookup.lookup(&path.head, &path.steps).unwrap_or_default(),
            [Segment::Nested { inner, prefix: _ }] => resolve_nested(inner, lookup),
            _ => Payload::string(&self.resolve_text(lookup)),
        }
    }

    /// The value as text.
    pub fn resolve_text(&self, lookup: &dyn Lookup) -> String {
        let mut text = String::new();
        for segment in &self.segments {
            match segment {
                Segment::Text(part) => text.push_str(part),
                Segment::Path(path) => {
                    push_text(&lookup.lookup(&path.head, &path.steps).unwrap_or_default(), &mut text);
                }
                Segment::Nested { inner, prefix: _ } => push_text(&resolve_nested(inner, lookup), &mut text),
            }
        }
        text
    }

    /// The paths that are looked up. Of a path with a `${…}` inside, this is the part before it that is certain.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        self.collect_paths(&mut paths);
        paths
    }

    fn collect_paths<'a>(&'a self, paths: &mut Vec<&'a Path>) {
        for segment in &self.segments {
            match segment {
                Segment::Text(_) => {}
                Segment::Path(path) => paths.push(path),
                Segment::Nested { inner, prefix } => {
                    paths.extend(prefix);
                    inner.collect_paths(paths);
                }
            }
        }
    }

    /// Whether a name itself is only known when values are, as in `${${x}.output}`: it may be any.
    pub fn has_open_head(&self) -> bool {
        self.segments.iter().any(|segment| match segment {
            Segment::Text(_) | Segment::Path(_) => false,
            Segment::Nested { inner, prefix } => prefix.is_none() || inner.has_open_head(),
        })
    }

    /// The text, if nothing is replaced in it.
    pub fn constant(&self) -> Option<&str> {
        match &*self.segments {
            [] => Some(""),
            [Segment::Text(text)] => Some(text),
            _ => None,
        }
    }
}

impl From<Vec<Segment>> for Template {
    fn from(segments: Vec<Segment>) -> Template {
        Template { segments: segments.into() }
    }
}

fn resolve_nested(inner: &Template, lookup: &dyn Lookup) -> Payload {
    let source = inner.resolve_text(lookup);
    if source.trim().is_empty() {
        return Payload::string("");
    }
    let path = check_length(&source).and_then(|()| parse_path(&source, 0));
    // A path that values have spoilt leads nowhere.
    path.ok().and_then(|path| lookup.lookup(&path.head, &path.steps)).unwrap_or_default()
}

/// The segments of `source` from `start` to its end.
fn parse_segments(source: &str, start: usize, depth: u32) -> Result<Vec<Segment>, ParseError> {
    let mut segments = Vec::new();
    let mut text = String::new();
    let mut at = start;
    while let Some(found) = source[at..].find('$') {
        let dollar = at + found;
        text.push_str(&source[at..dollar]);
        let rest = &source[dollar..];
        if rest.starts_with("$${") {
            text.push_str("${");
            at = dollar + 3;
        } else if rest.starts_with("${") {
            let end = closing_brace(source, dollar)?;
            if let Some(segment) = parse_one(&source[..end], dollar + 2, depth)? {
                push_segment_text(&mut segments, &mut text);
                segments.push(segment);
            }
            at = end + 1;
        } else {
            text.push('$');
            at = dollar + 1;
        }
    }
    text.push_str(&source[at..]);
    push_segment_text(&mut segments, &mut text);
    Ok(segments)
}

fn push_segment_text(segments: &mut Vec<Segment>, text: &mut String) {
    if !text.is_empty() {
        segments.push(Segment::Text(std::mem::take(text).into()));
    }
}

/// What stands between the braces: from `start` to the end of `source`.
fn parse_one(source: &str, start: usize, depth: u32) -> Result<Option<Segment>, ParseError> {
    let content = &source[start..];
    if content.trim().is_empty() {
        return Ok(None);
    }
    let Some(inner) = content.find("${") else {
        return parse_path(source, start).map(|path| Some(Segment::Path(path)));
    };
    if depth == NESTING_MAX {
        return Err(ParseError::new(start..source.len(), format!("nested more than {NESTING_MAX} deep")));
    }
    let prefix = certain_part(&source[..start + inner], start);
    let inner = Template::from(parse_segments(source, start, depth + 1)?);
    Ok(Some(Segment::Nested { inner, prefix }))
}

fn parse_path(source: &str, start: usize) -> Result<Path, ParseError> {
    let mut cursor = Cursor::new(source, start, Language::Template);
    cursor.skip_space();
    let path = Path::parse(&mut cursor)?;
    cursor.skip_space();
    match cursor.peek() {
        None => Ok(path),
        Some(c) => Err(cursor.here(format!("unexpected `{c}` after the path")).hint(
            "`${…}` holds a path and computes nothing; a key with such a character is written `['a key']`",
        )),
    }
}

/// The path up to its last complete step before a `${…}`. The last dot may be one in a filter, so a few are tried.
fn certain_part(source: &str, start: usize) -> Option<Path> {
    let mut cuts = source[start..].rmatch_indices(['.', '[']).take(16);
    cuts.find_map(|(cut, _)| parse_path(&source[..start + cut], start).ok())
}

/// Where the `${` at `open` ends. Braces within quotes within brackets are part of a key.
fn closing_brace(source: &str, open: usize) -> Result<usize, ParseError> {
    let (mut braces, mut brackets, mut quote) = (0_u32, 0_u32, None);
    let mut bytes = source.bytes().enumerate().skip(open);
    while let Some((at, byte)) = bytes.next() {
        match (quote, byte) {
            (Some(_), b'\\') => drop(bytes.next()),
            (Some(open), _) if open == byte => quote = None,
            (None, b'\'' | b'"') if brackets > 0 => quote = Some(byte),
            (None, b'[') => brackets += 1,
            (None, b']') => brackets = brackets.saturating_sub(1),
            (None, b'{') => braces += 1,
            (None, b'}') if braces == 1 => return Ok(at),
            (None, b'}') => braces -= 1,
            (Some(_) | None, _) => {}
        }
    }
    Err(ParseError::new(open..source.len(), "`${` has no `}`")
        .hint("write `$${` where the text itself is meant"))
}
