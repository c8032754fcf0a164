//! Whether two patterns have a path in common.

use super::PathPattern;

/// The text with `*` for each `${…}`, and `**` where it is a whole component. Unclosed ones are text.
pub(super) fn without_values(text: &str) -> String {
    let components = split_outside_values(text);
    let mut plain = String::with_capacity(text.len());
    for (at, component) in components.into_iter().enumerate() {
        if at > 0 {
            plain.push('/');
        }
        match replace_values(component) {
            Some(replaced) if replaced == "*" => plain.push_str("**"),
            Some(replaced) => plain.push_str(&replaced),
            None => plain.push_str(component),
        }
    }
    plain
}

/// Components; a slash inside `${…}` belongs to the expression.
fn split_outside_values(text: &str) -> Vec<&str> {
    let mut components = Vec::new();
    let (mut begin, mut at) = (0, 0);
    while at < text.len() {
        match text.as_bytes()[at] {
            b'$' => at += value_length(&text[at..]).unwrap_or(1),
            b'/' => {
                components.push(&text[begin..at]);
                at += 1;
                begin = at;
            }
            _ => at += 1,
        }
        // Only whole ASCII characters are looked at, so `at` may stand inside a longer one, but never cuts there.
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    components.push(&text[begin..]);
    components
}

/// The length of the `${…}` at the beginning.
fn value_length(text: &str) -> Option<usize> {
    text.starts_with("${").then(|| text.find('}').map(|end| end + 1))?
}

/// `None` if there is nothing to replace.
fn replace_values(component: &str) -> Option<String> {
    let mut replaced = String::new();
    let mut rest = component;
    let mut any = false;
    while let Some(at) = rest.find('$') {
        replaced.push_str(&rest[..at]);
        match value_length(&rest[at..]) {
            Some(length) => {
                any = true;
                replaced.push('*');
                rest = &rest[at + length..];
            }
            None => {
                replaced.push('$');
                rest = &rest[at + 1..];
            }
        }
    }
    replaced.push_str(rest);
    any.then_some(replaced)
}

/// How many bytes stand before the first wildcard.
pub(super) fn plain_prefix(text: &str) -> usize {
    let mut at = 0;
    for component in text.split('/') {
        if component == "**" {
            return at;
        }
        let mut symbols = Symbols(component);
        loop {
            let before = component.len() - symbols.0.len();
            match symbols.next() {
                Some(Symbol::One(_)) => {}
                Some(Symbol::Any | Symbol::Set { .. }) => return at + before,
                None => break,
            }
        }
        at += component.len() + 1;
    }
    text.len()
}

/// Whether some path belongs to both. A plain path stands for everything below it too.
pub(super) fn meet(a: &PathPattern, b: &PathPattern) -> bool {
    let below = |path: &PathPattern| path.is_plain().then_some("**");
    may_meet(a, b) && components_meet(components(a).chain(below(a)), components(b).chain(below(b)))
}

/// Whether the pattern finds the plain path itself.
pub(super) fn finds(pattern: &PathPattern, path: &PathPattern) -> bool {
    may_meet(pattern, path) && components_meet(components(pattern), components(path))
}

/// Most pairs are told apart by what stands before their first wildcards.
fn may_meet(a: &PathPattern, b: &PathPattern) -> bool {
    let shorter = a.plain.min(b.plain);
    a.text.starts_with('/') == b.text.starts_with('/')
        && a.text.as_bytes()[..shorter] == b.text.as_bytes()[..shorter]
}

fn components(pattern: &PathPattern) -> impl Iterator<Item = &str> {
    pattern.text.split('/').filter(|part| !part.is_empty())
}

fn components_meet<'a>(a: impl Iterator<Item = &'a str>, b: impl Iterator<Item = &'a str>) -> bool {
    let (a, b): (Vec<_>, Vec<_>) = (a.collect(), b.collect());
    sequences_meet(&a, &b, |part| *part == "**", |a, b| symbols_meet(a, b))
}

/// Whether two sequences with wildcards for any number of items have a common reading. Works from the end: `row[j]`
/// says whether what is left of `a` meets `b[j..]`.
fn sequences_meet<T>(a: &[T], b: &[T], any: impl Fn(&T) -> bool, one: impl Fn(&T, &T) -> bool) -> bool {
    let mut row = vec![false; b.len() + 1];
    row[b.len()] = true;
    for j in (0..b.len()).rev() {
        row[j] = row[j + 1] && any(&b[j]);
    }
    for item in a.iter().rev() {
        let mut diagonal = row[b.len()];
        row[b.len()] = diagonal && any(item);
        for j in (0..b.len()).rev() {
            let below = row[j];
            row[j] = if any(item) || any(&b[j]) {
                // A wildcard ends here, or takes the next item of the other side.
                below || row[j + 1]
            } else {
                diagonal && one(item, &b[j])
            };
            diagonal = below;
        }
    }
    row[0]
}

fn symbols_meet(a: &str, b: &str) -> bool {
    let plain = |text: &str| !text.contains(['*', '?', '[']);
    if plain(a) && plain(b) {
        return a == b;
    }
    let (a, b): (Vec<_>, Vec<_>) = (Symbols(a).collect(), Symbols(b).collect());
    sequences_meet(&a, &b, |symbol| *symbol == Symbol::Any, |a, b| a.meets(b))
}

/// One piece of a component.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Symbol<'a> {
    /// `*`
    Any,
    /// A character that stands for itself.
    One(char),
    /// `[a-c]`, `[!a-c]`; `?` is the set that excludes nothing.
    Set { listed: &'a str, excludes: bool },
}

impl Symbol<'_> {
    fn meets(&self, other: &Symbol<'_>) -> bool {
        match (self, other) {
            (Symbol::One(a), Symbol::One(b)) => a == b,
            (Symbol::One(one), set @ Symbol::Set { .. }) | (set @ Symbol::Set { .. }, Symbol::One(one)) => {
                set.contains(*one)
            }
            (Symbol::Set { excludes: true, .. }, Symbol::Set { excludes: true, .. }) => true,
            (a @ Symbol::Set { .. }, b @ Symbol::Set { .. }) => a.shares_a_character(b),
            (Symbol::Any, _) | (_, Symbol::Any) => true,
        }
    }

    fn contains(&self, wanted: char) -> bool {
        match self {
            Symbol::Any => true,
            Symbol::One(one) => *one == wanted,
            Symbol::Set { listed, excludes } => {
                ranges(listed).any(|(first, last)| (first..=last).contains(&wanted)) != *excludes
            }
        }
    }

    /// Between two sets, at least one of which lists what it contains. If there is a common character, one is at the
    /// end of a range, or just beyond a range that is excluded.
    fn shares_a_character(&self, other: &Symbol<'_>) -> bool {
        let listed = |symbol: &Symbol<'_>| match symbol {
            Symbol::Set { listed, .. } => ranges(listed).collect::<Vec<_>>(),
            Symbol::Any | Symbol::One(_) => Vec::new(),
        };
        let beyond = |end: char| char::from_u32(end as u32 + 1).unwrap_or(end);
        listed(self)
            .into_iter()
            .chain(listed(other))
            .flat_map(|(first, last)| [first, last, beyond(last)])
            .any(|edge| self.contains(edge) && other.contains(edge))
    }
}

/// The ranges of a set: `a-cx` is `a..=c` and `x..=x`.
fn ranges(listed: &str) -> impl Iterator<Item = (char, char)> + '_ {
    let mut chars = listed.chars();
    std::iter::from_fn(move || {
        let first = chars.next()?;
        let mut ahead = chars.clone();
        match (ahead.next(), ahead.next()) {
            (Some('-'), Some(last)) => {
                chars = ahead;
                // Written the wrong way round, it would find nothing: nobody means that.
                Some((first.min(last), first.max(last)))
            }
            (Some(_) | None, Some(_) | None) => Some((first, first)),
        }
    })
}

/// Reads a component piece by piece; a `[` that is never closed stands for itself.
struct Symbols<'a>(&'a str);

impl<'a> Iterator for Symbols<'a> {
    type Item = Symbol<'a>;

    fn next(&mut self) -> Option<Symbol<'a>> {
        let first = self.0.chars().next()?;
        let (symbol, length) = match first {
            '*' => (Symbol::Any, 1),
            '?' => (Symbol::Set { listed: "", excludes: true }, 1),
            '[' => self.set().unwrap_or((Symbol::One('['), 1)),
            other => (Symbol::One(other), other.len_utf8()),
        };
        self.0 = &self.0[length..];
        Some(symbol)
    }
}

impl<'a> Symbols<'a> {
    /// The set at the beginning and how many bytes it takes. A `]` right after the opening is a member.
    fn set(&self) -> Option<(Symbol<'a>, usize)> {
        let inner = &self.0[1..];
        let excludes = inner.starts_with(['!', '^']);
        let begin = 1 + usize::from(excludes);
        let members = &self.0[begin..];
        let first = members.chars().next()?.len_utf8();
        let end = first + members[first..].find(']')?;
        Some((Symbol::Set { listed: &members[..end], excludes }, begin + end + 1))
    }
}
