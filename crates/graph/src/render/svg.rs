//! As SVG: a picture for papers and for browsers, with the full names where the pointer rests.

use std::fmt::Write as _;

use super::arrange::{Arranged, DETAIL_SIZE, NAME_SIZE, Rect, arrange, guard};
use super::shorten::{printable, width};
use super::{Form, Item, Link, Picture, State};
use crate::layout::Point;

const MARGIN: f32 = 28.0;
const HEADING: f32 = 46.0;
const LEGEND: f32 = 34.0;

/// What everything looks like. All colours are here and in the states.
const STYLE: &str = "\
svg{background:#fbf8f1}
text{font-family:'Helvetica Neue',Helvetica,Arial,'Liberation Sans','DejaVu Sans',sans-serif;fill:#2c2a33}
.title{font-size:19px;font-weight:600}
.sub{font-size:12.5px;font-weight:400;fill:#7a7484}
.name{font-size:13px}
.detail{font-size:10.5px;fill:#7a7484}
.box{fill:#fffdf8;stroke:#b3ab9c;stroke-width:1.2}
.around{fill:#2c2a33;fill-opacity:.035;stroke:#b3ab9c;stroke-width:1.2}
.way{fill:none;stroke:#aaa294;stroke-width:1.3}
.way.if{stroke-dasharray:5 3}
.way.critical{stroke:#b4533a;stroke-width:2.6}
.critical .box,.critical .around{stroke:#b4533a;stroke-width:2.6}
.guard{font-size:10px;fill:#7a7484;paint-order:stroke;stroke:#fbf8f1;stroke-width:3px}
.head{fill:#aaa294}
.head.critical{fill:#b4533a}
";

/// The picture as an SVG document.
pub fn svg(picture: &Picture) -> String {
    let arranged = arrange(picture);
    let title = printable(&picture.title);
    let subtitle = printable(&picture.subtitle);
    let heading = MARGIN * 2.0 + width(&title) * 19.0 + width(&subtitle) * 12.5 + 24.0;
    let legend = legend(picture);
    let wide = (arranged.size.width + 2.0 * MARGIN).max(heading).max(legend.1 + 2.0 * MARGIN);
    let high = arranged.size.height + 2.0 * MARGIN + HEADING + if legend.0.is_empty() { 0.0 } else { LEGEND };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" \
         role=\"img\">\n<title>{2}</title>\n<style>\n{STYLE}{3}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fbf8f1\"/>\n",
        wide.ceil(),
        high.ceil(),
        escaped(&title),
        states_style(picture),
    );
    put(
        &mut out,
        format_args!(
            "<text class=\"title\" x=\"{MARGIN}\" y=\"{}\">{}<tspan class=\"sub\" dx=\"12\">{}</tspan></text>\n",
            MARGIN + 14.0,
            escaped(&title),
            escaped(&subtitle),
        ),
    );
    put(&mut out, format_args!("<g transform=\"translate({MARGIN} {})\">\n", MARGIN + HEADING));
    containers(&mut out, picture, &arranged);
    ways(&mut out, picture, &arranged);
    items(&mut out, picture, &arranged);
    out.push_str("</g>\n");
    if !legend.0.is_empty() {
        put(
            &mut out,
            format_args!("<g transform=\"translate({MARGIN} {})\">\n{}</g>\n", high - MARGIN, legend.0),
        );
    }
    out.push_str("</svg>\n");
    out
}

fn put(out: &mut String, what: std::fmt::Arguments<'_>) {
    out.write_fmt(what).expect("writing into a string cannot fail");
}

/// Text that is no markup, in elements and in attributes.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// What lies below everything.
fn containers(out: &mut String, picture: &Picture, arranged: &Arranged) {
    for (number, item) in picture.items.iter().enumerate() {
        if item.form == Form::Container {
            let Rect { x, y, width, height } = arranged.boxes[number];
            put(
                out,
                format_args!(
                    "<g class=\"{}\"><rect class=\"around\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
                 height=\"{height:.1}\" rx=\"9\"/></g>\n",
                    classes(item),
                ),
            );
        }
    }
}

/// Those on the critical path last, so that nothing covers them.
fn ways(out: &mut String, picture: &Picture, arranged: &Arranged) {
    for critical in [false, true] {
        for (link, way) in picture.links.iter().zip(&arranged.ways) {
            if link.critical == critical && !way.is_empty() {
                one_way(out, link, way);
            }
        }
    }
}

fn one_way(out: &mut String, link: &Link, way: &[Point]) {
    let critical = if link.critical { " critical" } else { "" };
    let condition = if link.label.is_empty() { "" } else { " if" };
    put(out, format_args!("<path class=\"way{condition}{critical}\" d=\"{}\"/>", path(way)));
    let tip = way[way.len() - 1];
    let (length, half) = if link.critical { (8.0, 4.2) } else { (6.5, 3.2) };
    put(
        out,
        format_args!(
            "<path class=\"head{critical}\" d=\"M{:.1} {:.1}l{:.1} {half:.1}v{:.1}z\"/>\n",
            tip.x,
            tip.y,
            -length,
            -2.0 * half,
        ),
    );
    if !link.label.is_empty() {
        let (a, b) = (way[way.len() - 3], way[way.len() - 2]);
        put(
            out,
            format_args!(
                "<text class=\"guard\" text-anchor=\"middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
                (a.x + b.x) / 2.0,
                (a.y + b.y) / 2.0 - 4.0,
                escaped(&guard(&link.label)),
            ),
        );
    }
}

/// Straight lines and curves by turns; what is level is one line.
pub fn path(way: &[Point]) -> String {
    let mut out = format!("M{:.1} {:.1}", way[0].x, way[0].y);
    for (number, step) in way.windows(2).enumerate() {
        let (a, b) = (step[0], step[1]);
        let level = (a.y - b.y).abs() < 0.05;
        let goes_on = way.get(number + 2).is_some_and(|next| (next.y - b.y).abs() < 0.05);
        if level && goes_on {
            continue;
        }
        if number % 2 == 0 || level {
            put(&mut out, format_args!("H{:.1}", b.x));
        } else {
            let middle = (a.x + b.x) / 2.0;
            put(
                &mut out,
                format_args!("C{middle:.1} {:.1} {middle:.1} {:.1} {:.1} {:.1}", a.y, b.y, b.x, b.y),
            );
        }
    }
    out
}

fn items(out: &mut String, picture: &Picture, arranged: &Arranged) {
    for (number, item) in picture.items.iter().enumerate() {
        let (place, label) = (arranged.boxes[number], &arranged.labels[number]);
        put(out, format_args!("<g class=\"{}\"><title>{}</title>", classes(item), escaped(&full(item))));
        shape(out, item, place);
        let glyph = item
            .state
            .map_or(String::new(), |state| format!("<tspan class=\"glyph\">{}</tspan> ", state.look().glyph));
        let name = |x: f32, y: f32, anchor: &str| {
            format!(
                "<text class=\"name\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{glyph}{}</text>",
                escaped(&label.name)
            )
        };
        let detail = |x: f32, y: f32, anchor: &str| {
            let text = escaped(&label.detail);
            format!("<text class=\"detail\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>")
        };
        let middle = place.middle();
        if item.form == Form::Container {
            out.push_str(&name(place.x + 14.0, place.y + 18.0, "start"));
            out.push_str(&detail(place.x + 14.0, place.y + 32.0, "start"));
        } else if label.detail.is_empty() {
            out.push_str(&name(middle.x, middle.y + NAME_SIZE * 0.36, "middle"));
        } else {
            out.push_str(&name(middle.x, middle.y - 2.0, "middle"));
            out.push_str(&detail(middle.x, middle.y + DETAIL_SIZE + 2.5, "middle"));
        }
        out.push_str("</g>\n");
    }
}

fn shape(out: &mut String, item: &Item, Rect { x, y, width, height }: Rect) {
    match item.form {
        Form::Task => put(
            out,
            format_args!(
                "<rect class=\"box\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"7\"/>"
            ),
        ),
        Form::Meeting => put(
            out,
            format_args!(
                "<rect class=\"box\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"{:.1}\"/>",
                height / 2.0
            ),
        ),
        Form::Choice => {
            let cut = 13.0f32.min(height / 2.0);
            put(
                out,
                format_args!(
                    "<path class=\"box\" d=\"M{:.1} {y:.1}h{:.1}l{cut:.1} {:.1}l{:.1} {:.1}h{:.1}l{:.1} {:.1}z\"/>",
                    x + cut,
                    width - 2.0 * cut,
                    height / 2.0,
                    -cut,
                    height / 2.0,
                    -(width - 2.0 * cut),
                    -cut,
                    -height / 2.0
                ),
            );
        }
        Form::Container => {}
    }
}

/// The whole name, and all that is known.
fn full(item: &Item) -> String {
    let state = item.state.map_or("", |state| state.look().word);
    let critical = if item.critical { "on the critical path" } else { "" };
    let parts = [&item.name, &item.detail, state, critical];
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" · ")
}

fn classes(item: &Item) -> String {
    let state = item.state.map_or(String::new(), |state| format!(" s{}", state as u8));
    let critical = if item.critical { " critical" } else { "" };
    format!("item{state}{critical}")
}

/// The looks of the states that occur.
fn states_style(picture: &Picture) -> String {
    let style = |state: State| {
        let look = state.look();
        format!(
            ".s{0} .box{{fill:{1};stroke:{2};stroke-dasharray:{3}}}\n.s{0} .around{{stroke:{2};stroke-dasharray:{3}}}\n\
             .s{0} .glyph{{fill:{2};font-weight:700}}\n",
            state as u8,
            look.fill,
            look.stroke,
            if look.dash.is_empty() { "none" } else { look.dash },
        )
    };
    occurring(picture).into_iter().map(style).collect()
}

fn occurring(picture: &Picture) -> Vec<State> {
    let occurs = |state: &State| picture.items.iter().any(|item| item.state == Some(*state));
    State::ALL.into_iter().filter(occurs).collect()
}

/// What the signs mean, as far as they occur, and how wide that is.
fn legend(picture: &Picture) -> (String, f32) {
    let (mut out, mut x) = (String::new(), 0.0);
    for state in occurring(picture) {
        let look = state.look();
        put(
            &mut out,
            format_args!(
                "<g class=\"s{}\"><rect class=\"box\" x=\"{x:.1}\" y=\"-10\" width=\"20\" height=\"14\" rx=\"4\"/>\
             <text class=\"sub\" x=\"{:.1}\" y=\"1\"><tspan class=\"glyph\">{}</tspan> {}</text></g>\n",
                state as u8,
                x + 26.0,
                look.glyph,
                look.word,
            ),
        );
        x += 26.0 + width(look.word) * 12.5 + 32.0;
    }
    if picture.items.iter().any(|item| item.critical) {
        put(
            &mut out,
            format_args!(
                "<path class=\"way critical\" d=\"M{x:.1} -3h26\"/><text class=\"sub\" x=\"{:.1}\" y=\"1\">critical \
             path</text>\n",
                x + 32.0
            ),
        );
        x += 32.0 + width("critical path") * 12.5 + 20.0;
    }
    if picture.links.iter().any(|link| !link.label.is_empty()) {
        put(
            &mut out,
            format_args!(
                "<path class=\"way if\" d=\"M{x:.1} -3h26\"/><text class=\"sub\" x=\"{:.1}\" y=\"1\">on a \
             condition</text>\n",
                x + 32.0
            ),
        );
        x += 32.0 + width("on a condition") * 12.5;
    }
    (out, x)
}
