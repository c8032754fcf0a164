//! As one page that needs nothing else: it works without a network, and its policy forbids it to ask for anything.
//!
//! The page gets the arrangement as data and draws what is on the screen onto a canvas. Folded groups move together in
//! the page (`viewer.js`); the order in which things stand stays that of the layout.

use super::arrange::{Arranged, arrange, guard};
use super::svg::escaped;
use super::{Form, Item, Picture, State, json};

const PAGE: &str = include_str!("viewer/page.html");
const STYLE: &str = include_str!("viewer/viewer.css");
const SCRIPT: &str = include_str!("viewer/viewer.js");

/// The picture as a page.
pub fn html(picture: &Picture) -> String {
    let mut page = String::new();
    // The parts are put in from left to right, so that nothing that comes from a document is ever looked at.
    let mut rest = PAGE;
    for (mark, part) in [
        ("{{title}}", escaped(&picture.title)),
        ("{{style}}", STYLE.to_owned()),
        ("{{data}}", data(picture, &arrange(picture))),
        ("{{script}}", SCRIPT.to_owned()),
    ] {
        let (before, after) =
            rest.split_once(mark).expect("the page has a place for each part, in this order");
        page.push_str(before);
        page.push_str(&part);
        rest = after;
    }
    page + rest
}

fn data(picture: &Picture, arranged: &Arranged) -> String {
    let items = (0..picture.items.len()).map(|number| item(&picture.items[number], arranged, number));
    let links = picture.links.iter().zip(&arranged.ways).map(|(link, way)| {
        let points = way.iter().flat_map(|point| [json::number(point.x), json::number(point.y)]);
        json::list([
            link.from.to_string(),
            link.to.to_string(),
            json::text(&guard(&link.label)),
            u8::from(link.critical).to_string(),
            json::list(points),
        ])
    });
    let states = State::ALL.into_iter().map(|state| {
        let look = state.look();
        let dash = look.dash.split_whitespace().map(str::to_owned);
        json::list([
            json::text(look.word),
            json::text(look.glyph),
            json::text(look.stroke),
            json::text(look.fill),
            json::list(dash),
        ])
    });
    let groups =
        picture.groups.iter().map(|group| json::list([json::text(&group.name), json::text(group.kind)]));
    json::object([
        ("title", json::text(&picture.title)),
        ("subtitle", json::text(&picture.subtitle)),
        ("size", json::list([json::number(arranged.size.width), json::number(arranged.size.height)])),
        ("states", json::list(states)),
        ("groups", json::list(groups)),
        ("items", json::list(items)),
        ("links", json::list(links)),
    ])
}

fn item(item: &Item, arranged: &Arranged, number: usize) -> String {
    let (place, label) = (arranged.boxes[number], &arranged.labels[number]);
    let form = match item.form {
        Form::Task => 0,
        Form::Choice => 1,
        Form::Meeting => 2,
        Form::Container => 3,
    };
    json::list([
        json::text(&item.name),
        json::text(&item.detail),
        json::text(&label.name),
        json::text(&label.detail),
        form.to_string(),
        json::number(place.x),
        json::number(place.y),
        json::number(place.width),
        json::number(place.height),
        json::index(item.inside),
        json::index(item.state.map(|state| state as u32)),
        u8::from(item.critical).to_string(),
        json::index(item.group),
        arranged.ranks[number].to_string(),
    ])
}
