//! How large each item is and where it stands: the content of containers first, then what they stand in.

use super::shorten::{printable, shortened, width};
use super::{Form, Item, Picture};
use crate::layout::{Layout, Options, Point, Size};

/// Heights of letters.
pub const NAME_SIZE: f32 = 13.0;
pub const DETAIL_SIZE: f32 = 10.5;
/// Of a longer name, both ends are shown.
const NAME_MAX: usize = 34;
const DETAIL_MAX: usize = 40;
const GUARD_MAX: usize = 22;
/// Conditions stand on the edges.
const GUARD_SIZE: f32 = 10.0;
/// Beside the text of an item.
const PADDING: f32 = 13.0;
/// For the sign of a state.
const GLYPH: f32 = 16.0;
const ONE_LINE: f32 = 30.0;
const TWO_LINES: f32 = 44.0;
const MEETING: f32 = 26.0;
/// Around the content of a container, and above it for its name.
const INSET: f32 = 18.0;
const HEADER: f32 = 40.0;

/// A picture with coordinates.
pub struct Arranged {
    pub size: Size,
    pub boxes: Vec<Rect>,
    /// Of each link.
    pub ways: Vec<Vec<Point>>,
    /// How many ranks each item stands from the first in its container.
    pub ranks: Vec<u32>,
    pub labels: Vec<Label>,
}

/// A rectangle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

/// What is written into an item.
pub struct Label {
    pub name: String,
    pub detail: String,
}

impl Rect {
    pub fn middle(&self) -> Point {
        Point { x: self.x + self.width / 2.0, y: self.y + self.height / 2.0 }
    }
}

/// Arranges a picture from left to right.
pub fn arrange(picture: &Picture) -> Arranged {
    let labels: Vec<Label> = picture.items.iter().map(label).collect();
    let mut sizes: Vec<Size> =
        picture.items.iter().zip(&labels).map(|(item, label)| size(item, label)).collect();
    let scopes = picture.scopes();
    let mut layouts: Vec<Layout> = Vec::with_capacity(scopes.len());
    // Whatever is inside comes later, so that going backwards everything inside has its size already.
    for scope in scopes.iter().rev() {
        let own: Vec<Size> = scope.items.iter().map(|&item| sizes[item as usize]).collect();
        let layout = Layout::of(&own, &scope.edges, &options(picture, &scope.links));
        if let Some(container) = scope.container {
            let header = sizes[container as usize];
            sizes[container as usize] = Size {
                width: header.width.max(layout.size.width + 2.0 * INSET),
                height: layout.size.height + HEADER + INSET,
            };
        }
        layouts.push(layout);
    }
    layouts.reverse();
    let mut arranged = Arranged {
        size: layouts.first().map_or(Size::default(), |root| root.size),
        boxes: vec![Rect::default(); sizes.len()],
        ways: vec![Vec::new(); picture.links.len()],
        ranks: vec![0; sizes.len()],
        labels,
    };
    for (scope, layout) in scopes.iter().zip(&layouts) {
        let origin = scope.container.map_or(Point::default(), |container| {
            let around = arranged.boxes[container as usize];
            // A name that is wider than the content has it in its middle.
            Point { x: around.x + (around.width - layout.size.width) / 2.0, y: around.y + HEADER }
        });
        for ((&item, centre), &rank) in scope.items.iter().zip(&layout.centres).zip(&layout.ranks) {
            let Size { width, height } = sizes[item as usize];
            let (x, y) = (origin.x + centre.x - width / 2.0, origin.y + centre.y - height / 2.0);
            arranged.boxes[item as usize] = Rect { x, y, width, height };
            arranged.ranks[item as usize] = rank;
        }
        for (&link, way) in scope.links.iter().zip(layout.routes.iter()) {
            let moved = |point: &Point| Point { x: origin.x + point.x, y: origin.y + point.y };
            arranged.ways[link] = way.iter().map(moved).collect();
        }
    }
    arranged
}

/// What of a condition is shown.
pub fn guard(label: &str) -> String {
    shortened(&printable(label), GUARD_MAX)
}

/// Conditions need room between the ranks.
fn options(picture: &Picture, links: &[usize]) -> Options {
    let options = Options::default();
    let labels = links.iter().map(|&link| &picture.links[link].label).filter(|label| !label.is_empty());
    let widest = labels.map(|label| width(&guard(label)) * GUARD_SIZE + 24.0).fold(0.0, f32::max);
    Options { rank_gap: options.rank_gap.max(widest), ..options }
}

fn label(item: &Item) -> Label {
    Label {
        name: shortened(&printable(&item.name), NAME_MAX),
        detail: shortened(&printable(&item.detail), DETAIL_MAX),
    }
}

/// What an item needs if nothing is inside it.
fn size(item: &Item, label: &Label) -> Size {
    let glyph = if item.state.is_some() { GLYPH } else { 0.0 };
    let text = (width(&label.name) * NAME_SIZE + glyph).max(width(&label.detail) * DETAIL_SIZE);
    match item.form {
        Form::Task | Form::Container => {
            Size { width: (text + 2.0 * PADDING).max(64.0), height: height(label) }
        }
        Form::Choice => Size { width: text + 4.0 * PADDING, height: height(label) },
        Form::Meeting => Size { width: (text + 2.0 * PADDING).max(MEETING), height: MEETING },
    }
}

fn height(label: &Label) -> f32 {
    if label.detail.is_empty() { ONE_LINE } else { TWO_LINES }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Link;

    #[test]
    fn what_is_inside_stands_inside() {
        let item = |name: &str, inside| Item { name: name.to_owned(), inside, ..Item::default() };
        let picture = Picture {
            items: vec![
                item("before", None),
                item("around", None),
                item("a", Some(1)),
                item("again", Some(1)),
                item("deep", Some(3)),
            ],
            links: vec![
                Link { from: 0, to: 1, ..Link::default() },
                Link { from: 2, to: 3, ..Link::default() },
            ],
            ..Picture::default()
        };
        let arranged = arrange(&picture);
        let is_in = |inner: Rect, outer: Rect| {
            inner.x > outer.x
                && inner.y > outer.y
                && inner.x + inner.width < outer.x + outer.width
                && inner.y + inner.height < outer.y + outer.height
        };
        let boxes = &arranged.boxes;
        assert!(is_in(boxes[2], boxes[1]) && is_in(boxes[3], boxes[1]) && is_in(boxes[4], boxes[3]));
        assert!(boxes[0].x + boxes[0].width < boxes[1].x);
        assert!(boxes[2].x + boxes[2].width < boxes[3].x);
        assert!(arranged.ways.iter().all(|way| way.len() == 4));
    }
}
