//! YAML into a [`Tree`]: at one go if it is plain, else event by event.

mod plain;

use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Tag};
use partitur_model::{Fault, Place};

use crate::codes;
use crate::tree::{Budget, Builder, Extent, Form, OverBudget, Span, Tree};

/// Why a text is no document, and where.
pub(crate) struct Unreadable {
    pub(crate) fault: Fault,
    pub(crate) span: Span,
}

impl Unreadable {
    pub(crate) fn new(code: &'static str, span: Span, message: impl Into<String>) -> Unreadable {
        Unreadable { fault: Fault::error(code, Place::root(), message), span }
    }

    pub(crate) fn label(mut self, label: &str) -> Unreadable {
        self.fault = self.fault.label(label);
        self
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Unreadable {
        self.fault = self.fault.hint(hint);
        self
    }

    pub(crate) fn over_budget(over: OverBudget, span: Span, budget: Budget) -> Unreadable {
        match over {
            OverBudget::Nodes => {
                let text = format!(
                    "the document has more than {} values, or more than {} bytes of text",
                    budget.nodes_max, budget.bytes_max
                );
                Unreadable::new(codes::BUDGET, span, text)
                    .label("one too many")
                    .hint("aliases count as often as they are used; make many tasks from one with `for-each`")
            }
            OverBudget::Depth => {
                let text = format!("the document is nested more than {} deep", budget.depth_max);
                Unreadable::new(codes::BUDGET, span, text).label("one too deep")
            }
            OverBudget::Endless => {
                Unreadable::new(codes::BUDGET, span, "the alias stands within what it repeats")
                    .label("would never end")
            }
        }
    }
}

/// Reads the one document of `source`.
pub(crate) fn parse(source: Arc<str>, budget: Budget) -> Result<Tree, Unreadable> {
    match plain::parse(&source, budget) {
        Some(tree) => Ok(tree),
        None => events(source, budget),
    }
}

/// Reads the one document of `source`, whatever of YAML it uses.
fn events(source: Arc<str>, budget: Budget) -> Result<Tree, Unreadable> {
    let options = granit_parser::options! {
        emit_comments: false,
        simple_key_max_lookahead: 64 * 1024,
        flow_nesting_limit: budget.depth_max as usize + 1,
        block_nesting_limit: budget.depth_max as usize + 1,
    };
    let mut reader = YamlReader {
        builder: Builder::new(source.clone(), budget),
        anchors: Vec::new(),
        open: Vec::new(),
        budget,
    };
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(&source, options) {
        let (event, span) = event.map_err(|error| explain(&source, &error, budget))?;
        let tag_span = span.tag_span();
        let span = byte_span(&span);
        if let Event::DocumentStart(..) = event {
            documents += 1;
            if documents > 1 {
                return Err(Unreadable::new(
                    codes::MANY_DOCUMENTS,
                    span,
                    "the file holds more than one document",
                )
                .label("a second document begins")
                .hint("put each into a file of its own"));
            }
        }
        reader.take(event, span).map_err(|mut why| {
            if let (codes::UNSUPPORTED_YAML, Some(tag)) = (why.fault.code, tag_span) {
                why.span = byte_span(&tag);
            }
            why
        })?;
    }
    Ok(reader.builder.finish())
}

struct YamlReader {
    builder: Builder,
    /// What an alias of this number repeats; numbers rise from 1.
    anchors: Vec<Option<Extent>>,
    /// The anchors of the open containers, 0 for none.
    open: Vec<usize>,
    budget: Budget,
}

impl YamlReader {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Unreadable> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let form = tagged(scalar_form(style), tag.as_deref(), span)?;
                let extent = self.builder.scalar(form, span, &text);
                let extent = self.within_budget(extent, span)?;
                self.remember(anchor, extent);
            }
            Event::SequenceStart(_, anchor, tag) => self.begin(Form::List, anchor, tag.as_deref(), span)?,
            Event::MappingStart(_, anchor, tag) => self.begin(Form::Map, anchor, tag.as_deref(), span)?,
            Event::SequenceEnd | Event::MappingEnd => {
                let extent = self.builder.end(span.end);
                let anchor = self.open.pop().expect("a parser ends only what it began");
                self.remember(anchor, extent);
            }
            Event::Alias(anchor) => {
                let of = self.anchors.get(anchor).copied().flatten();
                let extent = match of {
                    Some(of) => self.builder.alias(span, of),
                    None => Err(OverBudget::Endless),
                };
                self.within_budget(extent, span)?;
            }
            // Comments and the begin and end of stream and document; further kinds are switched off.
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, form: Form, anchor: usize, tag: Option<&Tag>, span: Span) -> Result<(), Unreadable> {
        tagged(form, tag, span)?;
        let begun = self.builder.begin(form, span);
        self.within_budget(begun, span)?;
        self.open.push(anchor);
        Ok(())
    }

    fn remember(&mut self, anchor: usize, extent: Extent) {
        if anchor > 0 {
            if self.anchors.len() <= anchor {
                self.anchors.resize(anchor + 1, None);
            }
            self.anchors[anchor] = Some(extent);
        }
    }

    fn within_budget<T>(&self, result: Result<T, OverBudget>, span: Span) -> Result<T, Unreadable> {
        result.map_err(|over| Unreadable::over_budget(over, span, self.budget))
    }
}

fn scalar_form(style: ScalarStyle) -> Form {
    match style {
        ScalarStyle::Plain => Form::Plain,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Form::Quoted,
        ScalarStyle::Literal => Form::Literal,
        ScalarStyle::Folded => Form::Folded,
    }
}

/// The tags of strings, lists and mappings say what the eye sees; every other tag is refused.
fn tagged(form: Form, tag: Option<&Tag>, span: Span) -> Result<Form, Unreadable> {
    let Some(tag) = tag else { return Ok(form) };
    match (tag.core_suffix(), form) {
        (Some("str"), Form::Plain) => Ok(Form::Quoted),
        (Some("str"), Form::Quoted | Form::Literal | Form::Folded)
        | (Some("seq"), Form::List)
        | (Some("map"), Form::Map) => Ok(form),
        (_, Form::Plain | Form::Quoted | Form::Literal | Form::Folded | Form::List | Form::Map) => {
            let text = format!("the tag `{}` has no meaning here", tag.original());
            Err(Unreadable::new(codes::UNSUPPORTED_YAML, span, text)
                .label("tagged value")
                .hint("leave the tag out; put a value into quotes to make it a string"))
        }
    }
}

fn byte_span(span: &granit_parser::Span) -> Span {
    let range = span.byte_range().expect("a parser over a string knows its bytes");
    Span { start: range.start as u32, end: range.end as u32 }
}

/// The parser's error in our words, with the remedy for the mistakes that documents with `${…}` invite.
fn explain(source: &str, error: &ScanError, budget: Budget) -> Unreadable {
    use granit_parser::ErrorKind;
    let at = error.marker().byte_offset().unwrap_or(source.len()).min(source.len()) as u32;
    let span = Span { start: at, end: at };
    if let Some(template) = unquoted_template(source, at as usize) {
        return Unreadable::new(codes::FLOW_TEMPLATE, template, "`${` within flow brackets needs quotes")
            .label("YAML takes `{` for a mapping")
            .hint("write \"${…}\", in double quotes");
    }
    if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
        return Unreadable::over_budget(OverBudget::Depth, span, budget);
    }
    let info = error.info();
    let why = Unreadable::new(codes::SYNTAX, span, format!("this is no YAML: {info}")).label("here");
    match () {
        () if info.starts_with("mapping values") => why.hint("a text that holds `: ` needs quotes"),
        () if info.starts_with("tabs") => why.hint("indent with spaces"),
        () => why,
    }
}

/// The `${` before `at` on its line that is in no quotes, if the line has a flow bracket before it.
fn unquoted_template(source: &str, at: usize) -> Option<Span> {
    let line_start = source[..at].rfind('\n').map_or(0, |found| found + 1);
    let line_end = source[at..].find('\n').map_or(source.len(), |found| at + found);
    let line = &source[line_start..line_end];
    let (mut quote, mut bracket) = (None, false);
    for (offset, c) in line.char_indices() {
        match (quote, c) {
            (None, '$') if bracket && line[offset..].starts_with("${") => {
                let start = (line_start + offset) as u32;
                return Some(Span { start, end: start + 2 });
            }
            (None, '[' | '{') => bracket = true,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None | Some(_), _) => {}
        }
    }
    None
}
