//! Colours and widths: lines are made of painted parts, so that they can be cut to a width without harm.

use std::io::IsTerminal;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    /// Whether what goes to this stream is coloured.
    pub fn for_stream(self, stream: &impl IsTerminal) -> bool {
        match self {
            Colour::Auto => {
                let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                !refused && !dumb && stream.is_terminal()
            }
            Colour::Always => true,
            Colour::Never => false,
        }
    }
}

/// How a part of a line looks. Colour only adds: without it, nothing is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Bold,
    Dim,
    Good,
    Bad,
    Warn,
    Active,
}

impl Paint {
    fn sequence(self) -> &'static str {
        match self {
            Paint::Plain => "",
            Paint::Bold => "\x1b[1m",
            Paint::Dim => "\x1b[2m",
            Paint::Good => "\x1b[32m",
            Paint::Bad => "\x1b[1;31m",
            Paint::Warn => "\x1b[33m",
            Paint::Active => "\x1b[36m",
        }
    }
}

/// A line of painted parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<(Paint, String)>);

impl Line {
    /// An empty line.
    pub fn new() -> Line {
        Line::default()
    }

    /// Adds a part. Control characters are replaced: nobody's output drives the terminal.
    #[must_use]
    pub fn add(mut self, paint: Paint, text: impl AsRef<str>) -> Line {
        self.0.push((paint, printable(text.as_ref())));
        self
    }

    /// Adds an unpainted part.
    #[must_use]
    pub fn text(self, text: impl AsRef<str>) -> Line {
        self.add(Paint::Plain, text)
    }

    /// How many columns it takes.
    pub fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.width()).sum()
    }

    /// The text, cut to `width` columns with an ellipsis.
    pub fn render(&self, width: usize, colour: bool) -> String {
        let cut = self.width() > width;
        let mut room = if cut { width.saturating_sub(1) } else { width };
        let mut out = String::new();
        for (paint, text) in &self.0 {
            let part = prefix(text, room);
            room -= part.width();
            if colour && *paint != Paint::Plain && !part.is_empty() {
                out += paint.sequence();
                out += part;
                out += "\x1b[0m";
            } else {
                out += part;
            }
            if part.len() < text.len() {
                break;
            }
        }
        if cut && width > 0 {
            out.push('…');
        }
        out
    }

    /// The whole text.
    pub fn whole(&self, colour: bool) -> String {
        self.render(usize::MAX, colour)
    }
}

/// The longest beginning that takes no more than so many columns.
fn prefix(text: &str, width: usize) -> &str {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += c.width().unwrap_or(0);
        if taken > width {
            return &text[..at];
        }
    }
    text
}

/// The text with control characters replaced one for one.
pub fn printable(text: &str) -> String {
    let replace = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(replace).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_to_its_columns_and_not_to_its_bytes() {
        let line = Line::new().add(Paint::Bad, "fehlgeschlagen: ").text("Größe 大きい");
        assert_eq!(line.render(80, false), "fehlgeschlagen: Größe 大きい");
        assert_eq!(line.render(25, false), "fehlgeschlagen: Größe 大…");
        assert_eq!(line.render(24, false), "fehlgeschlagen: Größe …");
        assert_eq!(line.render(6, true), "\x1b[1;31mfehlg\x1b[0m…");
        assert_eq!(line.render(0, false), "");
    }

    #[test]
    fn nothing_that_is_shown_drives_the_terminal() {
        assert_eq!(Line::new().text("a\x1b[2Jb\nc").whole(false), "a\u{fffd}[2Jb\u{fffd}c");
    }
}
