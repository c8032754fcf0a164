//! Columns for people: aligned, and on a terminal never wider than it is.

use unicode_width::UnicodeWidthStr as _;

use crate::ink::{Line, Paint, printable};

/// A column that gives way keeps so much.
const NARROWEST: usize = 8;
/// Between two columns.
const GAP: usize = 2;

/// A cell.
#[derive(Clone, Debug)]
pub struct Cell(Paint, String);

/// What stands above a column, and how its cells stand in it.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    name: &'static str,
    to_the_right: bool,
    gives_way: bool,
}

/// Rows of cells.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

/// A column of texts that are never cut: ids, states.
pub fn left(name: &'static str) -> Column {
    Column { name, to_the_right: false, gives_way: false }
}

/// A column of numbers.
pub fn right(name: &'static str) -> Column {
    Column { name, to_the_right: true, gives_way: false }
}

/// A column of texts that are cut where there is no room.
pub fn wide(name: &'static str) -> Column {
    Column { name, to_the_right: false, gives_way: true }
}

impl Cell {
    /// A cell in this colour.
    pub fn new(paint: Paint, text: impl AsRef<str>) -> Cell {
        Cell(paint, printable(text.as_ref()))
    }

    fn width(&self) -> usize {
        self.1.width()
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell::new(Paint::Plain, text)
    }
}

impl Table {
    /// A table without rows.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Table {
        Table { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// A row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let row: Vec<Cell> = cells.into_iter().collect();
        debug_assert_eq!(row.len(), self.columns.len(), "a cell for each column");
        self.rows.push(row);
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The head and the rows, no wider than so many columns. A column in which nothing stands is left out.
    pub fn lines(&self, width: Option<usize>) -> Vec<Line> {
        let widths = self.widths(width.unwrap_or(usize::MAX));
        let head: Vec<Cell> = self.columns.iter().map(|column| Cell::new(Paint::Dim, column.name)).collect();
        std::iter::once(&head).chain(&self.rows).map(|row| self.line(row, &widths)).collect()
    }

    /// How wide each column is; 0 for those that are left out.
    fn widths(&self, room: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|at| {
                let widest = self.rows.iter().map(|row| row[at].width()).max().unwrap_or(0);
                if widest == 0 { 0 } else { widest.max(self.columns[at].name.width()) }
            })
            .collect();
        let gaps = GAP * widths.iter().filter(|&&width| width > 0).count().saturating_sub(1);
        let mut over = (widths.iter().sum::<usize>() + gaps).saturating_sub(room);
        // The widest gives way first, column by column of the terminal.
        while over > 0 {
            let giving = (0..widths.len())
                .filter(|&at| self.columns[at].gives_way && widths[at] > NARROWEST)
                .max_by_key(|&at| widths[at]);
            let Some(at) = giving else { break };
            widths[at] -= 1;
            over -= 1;
        }
        widths
    }

    fn line(&self, row: &[Cell], widths: &[usize]) -> Line {
        // Behind the last thing that is said there are no blanks.
        let last = (0..row.len()).rev().find(|&at| widths[at] > 0 && row[at].width() > 0).unwrap_or(0);
        let shown = (0..=last).filter(|&at| widths[at] > 0);
        let mut line = Line::new();
        for at in shown {
            let Cell(paint, text) = &row[at];
            let text = Line::new().text(text).render(widths[at], false);
            let pad = " ".repeat(widths[at].saturating_sub(text.width()));
            line = match (self.columns[at].to_the_right, at == last) {
                (true, _) => line.text(pad).add(*paint, text),
                (false, true) => line.add(*paint, text),
                (false, false) => line.add(*paint, text).text(pad),
            };
            if at != last {
                line = line.text(" ".repeat(GAP));
            }
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([left("id"), wide("name"), right("tasks"), wide("note"), left("none")]);
        table.row(["7".into(), "month-end of all companies".into(), "12".into(), "".into(), "".into()]);
        table.row(["123".into(), "größe\n大きい".into(), "9".into(), "see there".into(), "".into()]);
        table
    }

    fn shown(width: Option<usize>) -> String {
        table().lines(width).iter().map(|line| line.whole(false) + "\n").collect()
    }

    #[test]
    fn columns_are_aligned_and_empty_ones_left_out() {
        insta::assert_snapshot!(shown(None), @r"
        id   name                        tasks  note
        7    month-end of all companies     12
        123  größe�大きい                    9  see there
        ");
    }

    #[test]
    fn what_gives_way_is_cut_until_the_table_fits() {
        insta::assert_snapshot!(shown(Some(32)), @r"
        id   name       tasks  note
        7    month-en…     12
        123  größe�大…      9  see there
        ");
        for width in 0..60 {
            let narrowest = 2 * NARROWEST + 3 + 5 + 3 * GAP;
            for line in table().lines(Some(width)) {
                assert!(line.width() <= width.max(narrowest), "{width}: {line:?}");
            }
        }
    }
}
