//! A document as its author wrote it: scalars, lists and mappings with the bytes they came from.
//!
//! One flat array in document order; a container is followed by its parts and knows where they end. Texts that stand
//! in the source unchanged are not copied. Aliases point at what they repeat, so that a bomb of aliases stays small;
//! [`Builder`] counts what it would be if it were written out.

use std::sync::{Arc, OnceLock};

/// How much a document may be, so that a hostile one is refused before it hurts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of one file.
    pub bytes_max: usize,
    /// Scalars, lists and mappings of one file, aliases written out.
    pub nodes_max: u64,
    /// Nesting, aliases written out.
    pub depth_max: u32,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { bytes_max: 64 * 1024 * 1024, nodes_max: 5_000_000, depth_max: 128 }
    }
}

/// An item of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item(u32);

/// What an item is; of an alias, what it repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Text without quotes: in YAML its type follows from how it looks.
    Plain,
    /// Text in quotes, or tagged as a string.
    Quoted,
    /// Text in a literal block, line by line as written.
    Literal,
    /// Text in a folded block.
    Folded,
    List,
    Map,
}

impl Form {
    /// The form with its article, for sentences.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Form::Plain | Form::Quoted | Form::Literal | Form::Folded => "a single value",
            Form::List => "a list",
            Form::Map => "a mapping",
        }
    }
}

/// A range of bytes of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// Behind the last byte.
    pub end: u32,
}

/// 20 bytes: a document of 100,000 tasks has a million.
#[derive(Clone, Copy)]
struct Entry {
    form: Form,
    text: Text,
    span: Span,
    /// Behind the last item within this one; 0 while the container is open.
    next: u32,
    /// Which of [`Tree::texts`], or which entry an alias repeats.
    link: u32,
}

/// Where the decoded text of a scalar is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Text {
    /// A container has none.
    None,
    /// The source at the span.
    Bare,
    /// The source at the span, without its first and last byte.
    InQuotes,
    /// One of [`Tree::texts`].
    Own,
    /// The source at the span, without its first and last byte, its escapes resolved: one of [`Tree::escaped`].
    Escaped,
    /// That of what it repeats.
    Alias,
}

/// A document.
pub(crate) struct Tree {
    source: Arc<str>,
    entries: Vec<Entry>,
    texts: Vec<Box<str>>,
    /// Texts that are decoded when somebody asks for them: of most prose, nobody does.
    escaped: Vec<OnceLock<Box<str>>>,
}

impl Tree {
    /// A tree without any item, over a source that could not be read.
    pub(crate) fn empty(source: Arc<str>) -> Tree {
        Tree { source, entries: Vec::new(), texts: Vec::new(), escaped: Vec::new() }
    }

    pub(crate) fn source(&self) -> &Arc<str> {
        &self.source
    }

    pub(crate) fn root(&self) -> Option<Item> {
        (!self.entries.is_empty()).then_some(Item(0))
    }

    pub(crate) fn form(&self, item: Item) -> Form {
        self.entries[item.0 as usize].form
    }

    /// Where the item stands; of an alias, where the alias stands.
    pub(crate) fn span(&self, item: Item) -> Span {
        self.entries[item.0 as usize].span
    }

    /// The decoded text of a scalar; nothing for a container.
    pub(crate) fn text(&self, item: Item) -> &str {
        let Entry { text, span, link, .. } = self.entries[self.behind(item)];
        let (start, end) = (span.start as usize, span.end as usize);
        match text {
            Text::None | Text::Alias => "",
            Text::Bare => &self.source[start..end],
            Text::InQuotes => &self.source[start + 1..end - 1],
            Text::Own => &self.texts[link as usize],
            Text::Escaped => self.escaped[link as usize]
                .get_or_init(|| crate::json::unescaped(&self.source[start + 1..end - 1])),
        }
    }

    /// Where in the source the decoded text begins, if it stands there unchanged.
    pub(crate) fn text_start(&self, item: Item) -> Option<u32> {
        let entry = &self.entries[self.behind(item)];
        match entry.text {
            Text::Bare => Some(entry.span.start),
            Text::InQuotes => Some(entry.span.start + 1),
            Text::None | Text::Own | Text::Escaped | Text::Alias => None,
        }
    }

    /// The parts of a container in document order: keys and values alternate in a mapping.
    pub(crate) fn parts(&self, item: Item) -> impl Iterator<Item = Item> {
        let at = self.behind(item);
        let entry = &self.entries[at];
        let container = matches!(entry.form, Form::List | Form::Map);
        let (mut next, end) = (at as u32 + 1, if container { entry.next } else { 0 });
        std::iter::from_fn(move || {
            let part = (next < end).then_some(Item(next))?;
            next = self.entries[next as usize].next;
            Some(part)
        })
    }

    /// The keys of a mapping with their values, in document order.
    pub(crate) fn members(&self, item: Item) -> impl Iterator<Item = (Item, Item)> {
        let mut parts = self.parts(item);
        std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
    }

    /// Where the item's entry is; of an alias, the entry of what it repeats.
    fn behind(&self, item: Item) -> usize {
        let entry = &self.entries[item.0 as usize];
        if entry.text == Text::Alias { entry.link as usize } else { item.0 as usize }
    }
}

/// Why a tree cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OverBudget {
    Nodes,
    Depth,
    /// An alias within what it repeats.
    Endless,
}

/// An item, and how much it is.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    item: Item,
    size: Size,
}

/// How much an item is when its aliases are written out.
#[derive(Clone, Copy)]
struct Size {
    nodes: u64,
    /// Of texts.
    bytes: u64,
    height: u32,
}

/// Builds a tree from what a parser reports, in document order.
pub(crate) struct Builder {
    tree: Tree,
    open: Vec<Extent>,
    budget: Budget,
    nodes: u64,
    bytes: u64,
}

impl Builder {
    pub(crate) fn new(source: Arc<str>, budget: Budget) -> Builder {
        // A short task has about a node for every seven bytes.
        let entries = Vec::with_capacity((source.len() / 7).min(1 << 22));
        Builder {
            tree: Tree { source, entries, texts: Vec::new(), escaped: Vec::new() },
            open: Vec::new(),
            budget,
            nodes: 0,
            bytes: 0,
        }
    }

    pub(crate) fn scalar(&mut self, form: Form, span: Span, text: &str) -> Result<Extent, OverBudget> {
        let bytes = text.len() as u64;
        let (text, link) = self.place_text(span, text);
        self.push(Entry { form, text, span, next: 0, link }, Size { nodes: 1, bytes, height: 0 })
    }

    /// A scalar whose text stands in the source at `span`, bare or in quotes.
    pub(crate) fn scalar_of_source(&mut self, form: Form, span: Span) -> Result<Extent, OverBudget> {
        let text = if form == Form::Quoted { Text::InQuotes } else { Text::Bare };
        let bytes = u64::from(span.end - span.start);
        self.push(Entry { form, text, span, next: 0, link: 0 }, Size { nodes: 1, bytes, height: 0 })
    }

    /// A string of JSON at `span` whose escapes are all of two letters.
    pub(crate) fn escaped_scalar(&mut self, span: Span) -> Result<Extent, OverBudget> {
        let link = self.tree.escaped.len() as u32;
        self.tree.escaped.push(OnceLock::new());
        let size = Size { nodes: 1, bytes: u64::from(span.end - span.start), height: 0 };
        self.push(Entry { form: Form::Quoted, text: Text::Escaped, span, next: 0, link }, size)
    }

    pub(crate) fn alias(&mut self, span: Span, of: Extent) -> Result<Extent, OverBudget> {
        let target = self.tree.entries[of.item.0 as usize];
        if target.next == 0 {
            return Err(OverBudget::Endless);
        }
        let link = self.tree.behind(of.item) as u32;
        self.push(Entry { form: target.form, text: Text::Alias, span, next: 0, link }, of.size)
    }

    pub(crate) fn begin(&mut self, form: Form, span: Span) -> Result<(), OverBudget> {
        if self.open.len() as u32 >= self.budget.depth_max {
            return Err(OverBudget::Depth);
        }
        let item = Item(self.tree.entries.len() as u32);
        self.spend(1, 0)?;
        self.tree.entries.push(Entry { form, text: Text::None, span, next: 0, link: 0 });
        self.open.push(Extent { item, size: Size { nodes: 1, bytes: 0, height: 1 } });
        Ok(())
    }

    /// Ends the innermost container behind byte `end`.
    pub(crate) fn end(&mut self, end: u32) -> Extent {
        let extent = self.open.pop().expect("a parser ends only what it began");
        let next = self.tree.entries.len() as u32;
        let entry = &mut self.tree.entries[extent.item.0 as usize];
        entry.next = next;
        entry.span.end = end.max(entry.span.start);
        self.grow_outer(extent);
        extent
    }

    pub(crate) fn finish(self) -> Tree {
        self.tree
    }

    /// Adds what has no parts of its own.
    fn push(&mut self, entry: Entry, size: Size) -> Result<Extent, OverBudget> {
        if self.open.len() as u32 + size.height > self.budget.depth_max {
            return Err(OverBudget::Depth);
        }
        self.spend(size.nodes, size.bytes)?;
        let item = self.tree.entries.len() as u32;
        self.tree.entries.push(Entry { next: item + 1, ..entry });
        let extent = Extent { item: Item(item), size };
        self.grow_outer(extent);
        Ok(extent)
    }

    fn grow_outer(&mut self, inner: Extent) {
        if let Some(Extent { size: outer, .. }) = self.open.last_mut() {
            outer.nodes = outer.nodes.saturating_add(inner.size.nodes);
            outer.bytes = outer.bytes.saturating_add(inner.size.bytes);
            outer.height = outer.height.max(inner.size.height + 1);
        }
    }

    fn spend(&mut self, nodes: u64, bytes: u64) -> Result<(), OverBudget> {
        self.nodes = self.nodes.saturating_add(nodes);
        self.bytes = self.bytes.saturating_add(bytes);
        let over = self.nodes > self.budget.nodes_max || self.bytes > self.budget.bytes_max as u64;
        if over { Err(OverBudget::Nodes) } else { Ok(()) }
    }

    /// Finds `text` in the source at `span`, bare or within quotes, or keeps a copy.
    fn place_text(&mut self, span: Span, text: &str) -> (Text, u32) {
        let written = &self.tree.source[span.start as usize..span.end as usize];
        if written == text {
            return (Text::Bare, 0);
        }
        if written.len() == text.len() + 2 && written.get(1..written.len() - 1) == Some(text) {
            return (Text::InQuotes, 0);
        }
        self.tree.texts.push(text.into());
        (Text::Own, self.tree.texts.len() as u32 - 1)
    }
}
