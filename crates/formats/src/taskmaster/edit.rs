//! Changes of values in the text. What is not changed stays as it is, byte for byte.

use super::backlog::Tag;
use super::source::Source;
use super::word::Status;
use crate::tree::{Item, Span, Tree};

/// A change that would mend something.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// No task means anything else afterwards, except that it does not wait for ever.
    pub safe: bool,
    change: Change,
}

#[derive(Clone, Debug, PartialEq)]
enum Change {
    /// An element of a list goes.
    Remove { list: Item, index: u32 },
    /// A scalar becomes a string.
    Word { item: Item, word: &'static str },
}

/// Why a status cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatusError {
    /// There is no such tag.
    #[error("there is no tag `{0}`")]
    NoTag(String),
    /// There is no such task.
    #[error("there is no task {0}")]
    NoTask(String),
    /// Somebody else has changed it.
    #[error("task {task} is {} by now", found.word())]
    Changed {
        /// Which.
        task: String,
        /// How far it is by now.
        found: Status,
    },
}

/// A range of bytes, and what takes its place.
type Splice = (Span, String);

impl Edit {
    /// The scalar becomes this word, which means the same.
    pub(super) fn word(item: Item, word: &'static str) -> Edit {
        Edit { safe: true, change: Change::Word { item, word } }
    }

    /// A dependency goes.
    pub(super) fn drop(tag: &Tag<'_>, dependency: u32, safe: bool) -> Edit {
        let dependency = &tag.dependencies[dependency as usize];
        Edit { safe, change: Change::Remove { list: dependency.list, index: dependency.index } }
    }
}

impl Source {
    /// The file with these changes. A change that is given twice is made once.
    pub fn edited<'e>(&self, edits: impl IntoIterator<Item = &'e Edit>) -> Vec<u8> {
        let (mut words, mut removed) = (Vec::new(), Vec::new());
        for edit in edits {
            match edit.change {
                Change::Remove { list, index } => removed.push((list, index)),
                Change::Word { item, word } => words.push((item, word)),
            }
        }
        words.sort_unstable();
        words.dedup_by_key(|(item, _)| *item);
        let tree = self.tree();
        let mut splices: Vec<Splice> =
            words.into_iter().map(|(item, word)| (tree.span(item), quoted(word))).collect();
        removed.sort_unstable();
        removed.dedup();
        for of_list in removed.chunk_by(|a, b| a.0 == b.0) {
            let indices: Vec<u32> = of_list.iter().map(|&(_, index)| index).collect();
            splices.extend(removals(tree, of_list[0].0, &indices));
        }
        self.spliced(splices)
    }

    /// What a change takes away, and what it puts in its place.
    pub fn describe(&self, edit: &Edit) -> (String, String) {
        let tree = self.tree();
        let (item, new) = match edit.change {
            Change::Word { item, word } => (Some(item), quoted(word)),
            Change::Remove { list, index } => (tree.parts(list).nth(index as usize), String::new()),
        };
        let span = item.map_or(Span::default(), |item| tree.span(item));
        (self.text()[span.start as usize..span.end as usize].to_owned(), new)
    }

    /// The file with another status of a task, if its status is one of `from`; nothing if it is what it should become.
    ///
    /// # Errors
    /// There is no such task, or it has another status.
    pub fn with_status(
        &self,
        tag: &str,
        task: &str,
        from: &[Status],
        to: Status,
    ) -> Result<Option<Vec<u8>>, StatusError> {
        let backlog = self.backlog();
        let tag = backlog.tag(tag).ok_or_else(|| StatusError::NoTag(tag.to_owned()))?;
        let number = tag.find(task).ok_or_else(|| StatusError::NoTask(task.to_owned()))?;
        let found = tag.tasks[number as usize].status;
        if found == to {
            return Ok(None);
        }
        if !from.contains(&found) {
            return Err(StatusError::Changed { task: task.to_owned(), found });
        }
        let item = tag.tasks[number as usize].item;
        let splice = match tag.member(item, "status") {
            Some(status) => (self.tree().span(status), quoted(to.word())),
            None => self.new_member(tag, item, to),
        };
        Ok(Some(self.spliced(vec![splice])))
    }

    /// A status behind the id of a task that has none, with the spaces that the task has between its other keys.
    fn new_member(&self, tag: &Tag<'_>, task: Item, status: Status) -> Splice {
        let (tree, text) = (self.tree(), self.text());
        let between = |from: u32, to: u32| &text[from as usize..to as usize];
        let members: Vec<(Item, Item)> = tree.members(task).collect();
        let id = tag.member(task, "id").expect("a task that was found has an id");
        let at = members.iter().position(|&(_, value)| value == id).expect("it is one of its members");
        let (key, _) = members[at];
        let colon = between(tree.span(key).end, tree.span(id).start);
        let behind = tree.span(id).end;
        let before = match members.get(at + 1) {
            Some(&(next, _)) => between(behind, tree.span(next).start).to_owned(),
            None => format!(",{}", between(tree.span(task).start + 1, tree.span(members[0].0).start)),
        };
        let member = format!("{before}\"status\"{colon}{}", quoted(status.word()));
        (Span { start: behind, end: behind }, member)
    }

    fn spliced(&self, mut splices: Vec<Splice>) -> Vec<u8> {
        splices.sort_by_key(|(span, _)| span.start);
        let text = self.text();
        let mut out = self.mark.to_vec();
        let mut at = 0;
        for (span, new) in splices {
            out.extend_from_slice(&text.as_bytes()[at..span.start as usize]);
            out.extend_from_slice(new.as_bytes());
            at = span.end as usize;
        }
        out.extend_from_slice(&text.as_bytes()[at..]);
        out
    }
}

fn quoted(word: &str) -> String {
    format!("\"{word}\"")
}

/// What goes when these elements of a list go, each with one comma. `removed` ascends.
fn removals(tree: &Tree, list: Item, removed: &[u32]) -> Vec<Splice> {
    let spans: Vec<Span> = tree.parts(list).map(|part| tree.span(part)).collect();
    if removed.len() == spans.len() {
        let span = tree.span(list);
        return vec![(Span { start: span.start + 1, end: span.end - 1 }, String::new())];
    }
    // Elements before the first that stays go with what is behind them, all others with what is before them.
    let first_kept = (0..).zip(removed).take_while(|(at, index)| at == *index).count();
    let splice = |&index: &u32| {
        let at = index as usize;
        let span = match at < first_kept {
            true => Span { start: spans[at].start, end: spans[at + 1].start },
            false => Span { start: spans[at - 1].end, end: spans[at].end },
        };
        (span, String::new())
    };
    removed.iter().map(splice).collect()
}
