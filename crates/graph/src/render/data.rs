//! A picture as data, for programs that draw it themselves.

use super::json::{index, list, number, object, text};
use super::{Form, Picture, State, arrange};

/// JSON: each item with its box, each link with its way; all coordinates are those of the whole picture.
pub fn data(picture: &Picture) -> String {
    let arranged = arrange::arrange(picture);
    let truth = |truth: bool| truth.to_string();
    let items =
        picture.items.iter().zip(&arranged.boxes).zip(&arranged.ranks).map(|((item, place), rank)| {
            object([
                ("name", text(&item.name)),
                ("detail", text(&item.detail)),
                ("form", text(form(item.form))),
                ("inside", index(item.inside)),
                (
                    "state",
                    item.state.map_or_else(|| "null".to_owned(), |state: State| text(state.look().word)),
                ),
                ("critical", truth(item.critical)),
                ("rank", rank.to_string()),
                ("x", number(place.x)),
                ("y", number(place.y)),
                ("width", number(place.width)),
                ("height", number(place.height)),
            ])
        });
    let links = picture.links.iter().zip(&arranged.ways).map(|(link, way)| {
        let points = way.iter().map(|point| list([number(point.x), number(point.y)]));
        object([
            ("from", link.from.to_string()),
            ("to", link.to.to_string()),
            ("label", text(&link.label)),
            ("critical", truth(link.critical)),
            ("way", list(points)),
        ])
    });
    object([
        ("title", text(&picture.title)),
        ("subtitle", text(&picture.subtitle)),
        ("width", number(arranged.size.width)),
        ("height", number(arranged.size.height)),
        ("items", list(items)),
        ("links", list(links)),
    ])
}

fn form(form: Form) -> &'static str {
    match form {
        Form::Task => "task",
        Form::Choice => "choice",
        Form::Meeting => "meeting",
        Form::Container => "container",
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Item, Link};
    use super::*;

    #[test]
    fn everything_has_its_place() {
        let item = |name: &str| Item { name: name.to_owned(), ..Item::default() };
        let picture = Picture {
            title: "a \"b\"".to_owned(),
            items: vec![item("one"), item("two")],
            links: vec![Link { from: 0, to: 1, ..Link::default() }],
            ..Picture::default()
        };
        let told = data(&picture);
        assert!(told.contains(r#""title":"a \"b\"""#), "{told}");
        assert_eq!(told.matches(r#""form":"task""#).count(), 2);
        assert!(told.contains(r#""rank":1"#) && told.contains(r#""way":[["#), "{told}");
    }
}
