//! The part of the terminal in which the block is drawn: below what has been said, redrawn in place.

use std::io::Write;

use super::block::Size;
use crate::ink::Line;

/// A block at the end of the terminal. Dropping it removes the block and gives the cursor back.
pub struct Screen<W: Write> {
    out: W,
    colour: bool,
    /// The widths of the lines that stand there.
    drawn: Vec<usize>,
    hidden: bool,
}

impl<W: Write> Screen<W> {
    /// Nothing is drawn yet.
    pub fn new(out: W, colour: bool) -> Screen<W> {
        Screen { out, colour, drawn: Vec::new(), hidden: false }
    }

    /// Says `above` for good, and draws the block below it, in one write: nothing flickers.
    pub fn draw(&mut self, above: &str, block: &[Line], size: Size) {
        let mut text = String::with_capacity(above.len() + block.len() * size.columns);
        // Where it is known, the terminal shows all of it at once.
        text += "\x1b[?2026h";
        if !self.hidden {
            text += "\x1b[?25l";
            self.hidden = true;
        }
        text += &self.erase(size);
        text += above;
        self.drawn.clear();
        for line in block {
            let width = size.columns.saturating_sub(1);
            text += &line.render(width, self.colour);
            text.push('\n');
            self.drawn.push(line.width().min(width));
        }
        text += "\x1b[?2026l";
        self.write(&text);
    }

    /// Removes the block and gives the cursor back.
    pub fn clear(&mut self, size: Size) {
        let mut text = self.erase(size);
        if std::mem::take(&mut self.hidden) {
            text += "\x1b[?25h";
        }
        self.write(&text);
    }

    /// Back to the first line of the block, and everything behind it gone. A terminal that has become narrower has
    /// broken the lines that stood there.
    fn erase(&mut self, size: Size) -> String {
        let columns = size.columns.max(1);
        let rows: usize = self.drawn.iter().map(|width| width.div_ceil(columns).max(1)).sum();
        self.drawn.clear();
        // What has left the screen above is out of reach.
        let rows = rows.min(size.rows.saturating_sub(1));
        if rows == 0 { String::new() } else { format!("\x1b[{rows}A\r\x1b[J") }
    }

    fn write(&mut self, text: &str) {
        // A terminal that has gone is no reason to stop the run.
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}

impl<W: Write> Drop for Screen<W> {
    fn drop(&mut self) {
        if !self.drawn.is_empty() || self.hidden {
            self.clear(terminal_size());
        }
    }
}

/// The size of the terminal behind standard error, or that of the oldest of them.
pub fn terminal_size() -> Size {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    match size {
        Some(size) if size.ws_col > 0 && size.ws_row > 0 => {
            Size { columns: size.ws_col.into(), rows: size.ws_row.into() }
        }
        Some(_) | None => Size { columns: 80, rows: 24 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { columns: 20, rows: 10 };

    fn lines(texts: &[&str]) -> Vec<Line> {
        texts.iter().map(|text| Line::new().text(text)).collect()
    }

    #[test]
    fn a_block_is_erased_before_the_next_one_is_drawn() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, false);
        screen.draw("", &lines(&["one", "two"]), SIZE);
        screen.draw("said\n", &lines(&["three"]), SIZE);
        screen.clear(SIZE);
        drop(screen);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            "\x1b[?2026h\x1b[?25lone\ntwo\n\x1b[?2026l\
             \x1b[?2026h\x1b[2A\r\x1b[Jsaid\nthree\n\x1b[?2026l\
             \x1b[1A\r\x1b[J\x1b[?25h"
        );
    }

    #[test]
    fn lines_that_a_narrower_terminal_has_broken_are_erased_with_all_their_rows() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, false);
        screen.draw("", &lines(&["0123456789abcdef", "x"]), SIZE);
        screen.draw("", &[], Size { columns: 6, rows: 10 });
        drop(screen);
        assert!(String::from_utf8(out).unwrap().contains("\x1b[4A\r\x1b[J"));
    }
}
