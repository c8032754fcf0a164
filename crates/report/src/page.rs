//! A review as one file of HTML that needs nothing else: figures, what ran when, how many at once, what was waited for.
//!
//! Names come from documents that others wrote: all text is escaped, and there is no script.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use partitur_graph::render::escaped;
use partitur_model::record::{TaskOutcome, TaskState};

use crate::review::Review;
use crate::state::state_name;
use crate::time::{bytes, short};
use crate::timeline::Span;

/// Width of the pictures, in their own units.
const WIDTH: f64 = 1150.0;

/// Height of a lane, and of the picture of how many ran.
const LANE: f64 = 22.0;
const SKYLINE: f64 = 140.0;

/// What would be narrower is not drawn: nobody could see it.
const NARROWEST: f64 = 0.35;

/// What the time beside a mark takes.
const LABEL: f64 = 40.0;

/// About so many marks stand along the time.
const MARKS: f64 = 8.0;

impl Review {
    /// The page.
    pub fn html(&self) -> String {
        let title = escaped(&format!("{}, run {}", self.performance.name, self.performance.run));
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width\">\n<title>{title}</title>\n<style>\n{}</style>\n<main>\n<h1>{title}</h1>\n\
             <p class=\"dim\">{}</p>\n",
            include_str!("page.css"),
            escaped(&self.performance.headline())
        );
        page += &self.figures();
        page += &self.advised();
        page += &self.lanes();
        page += &self.at_once();
        page += &self.waited();
        page += &self.determined();
        page += &self.slower();
        page + "</main>\n</html>\n"
    }

    fn figures(&self) -> String {
        let performance = &self.performance;
        let saved = performance.saving.map_or_else(
            || "nothing".to_owned(),
            |saving| format!("{} ({:.0} %)", short(saving.time), saving.percent),
        );
        let figures = [
            (short(performance.wall), "from start to end"),
            (saved, "saved against one after the other"),
            (short(self.at_best), "with places for all and no locks"),
            (format!("{:.1} / {}", self.usage.mean, self.usage.most), "at once: mean, most"),
            (format!("{:.0} %", self.usage.places * 100.0), "of the places used"),
            (format!("{:.0} %", self.usage.processors * 100.0), "of the processors used"),
            (bytes(self.usage.memory), "of memory at most"),
        ];
        let shown = figures.map(|(value, what)| {
            format!("<div class=\"figure\"><b>{}</b><span>{what}</span></div>\n", escaped(&value))
        });
        format!("<div class=\"figures\">\n{}</div>\n", shown.concat())
    }

    fn advised(&self) -> String {
        if self.advice.is_empty() {
            return String::new();
        }
        let lines = self.advice.iter().map(|advice| format!("<li>{}</li>\n", escaped(&advice.to_string())));
        format!("<h2>What would help</h2>\n<ul>\n{}</ul>\n", lines.collect::<String>())
    }

    fn lanes(&self) -> String {
        let lanes = self.timeline.lanes.0;
        if lanes == 0 {
            return String::new();
        }
        let critical: BTreeSet<&str> =
            self.performance.critical.iter().map(|link| link.path.as_str()).collect();
        let height = f64::from(lanes) * LANE;
        let (mut drawn, mut left_out) = (String::new(), 0);
        for span in self.timeline.spans.iter().filter(|span| span.works) {
            match self.bar(span, critical.contains(span.path.as_str())) {
                Some(bar) => drawn += &bar,
                None => left_out += 1,
            }
        }
        let note = match left_out {
            0 => String::new(),
            1 => "; one is too short to be seen".to_owned(),
            more => format!("; {more} are too short to be seen"),
        };
        format!(
            "<h2>What ran when</h2>\n<p class=\"dim key\">A lane for each place{note}.\
             <i style=\"background:var(--ok)\"></i>succeeded<i style=\"background:var(--bad)\"></i>✗ failed\
             <i style=\"background:var(--other)\"></i>other<i style=\"outline:2px solid var(--critical)\"></i>\
             determined the end</p>\n\
             <svg viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-label=\"What ran when\">\n{}{drawn}</svg>\n",
            height + 24.0,
            self.marks(height)
        )
    }

    /// Where a moment is in the pictures.
    fn x(&self, at: Duration) -> f64 {
        WIDTH * at.as_secs_f64() / self.timeline.length.as_secs_f64().max(1e-6)
    }

    fn bar(&self, span: &Span, is_critical: bool) -> Option<String> {
        let (x, width) = (self.x(span.from), self.x(span.to) - self.x(span.from));
        if width < NARROWEST && !is_critical {
            return None;
        }
        let (class, sign) = look(span.state);
        let y = f64::from(span.lane) * LANE;
        let critical = if is_critical { " critical" } else { "" };
        let title = format!(
            "{sign}{}: {}, {} after {} in the queue",
            span.path,
            state_name(span.state),
            short(span.took()),
            short(span.queued())
        );
        let mut bar = format!(
            "<rect class=\"{class}{critical}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"2\">\
             <title>{}</title></rect>\n",
            y + 2.0,
            (width - 0.5).max(0.5),
            LANE - 4.0,
            escaped(&title)
        );
        // About seven units a letter: what does not fit is told by the title.
        let room = ((width - 8.0) / 7.0).max(0.0) as usize;
        let name: String = format!("{sign}{}", span.path).chars().take(room).collect();
        if room >= 3 {
            let _ = writeln!(
                bar,
                "<text class=\"name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x + 4.0,
                y + LANE - 7.0,
                escaped(&name)
            );
        }
        Some(bar)
    }

    /// Lines across a picture, with the time below.
    fn marks(&self, height: f64) -> String {
        let step = round_step(self.timeline.length.as_secs_f64() / MARKS);
        let mut marks = String::new();
        let mut at = 0.0;
        while at < self.timeline.length.as_secs_f64() {
            let moment = Duration::from_secs_f64(at);
            let x = self.x(moment);
            if x > WIDTH - LABEL {
                break;
            }
            let _ = writeln!(
                marks,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"{height:.0}\"/>\
                 <text x=\"{:.1}\" y=\"{:.0}\">{}</text>",
                x + 3.0,
                height + 16.0,
                short(moment)
            );
            at += step;
        }
        marks
    }

    fn at_once(&self) -> String {
        let most = self.levels.iter().map(|level| level.running + level.queued).max().unwrap_or(0);
        if most == 0 {
            return String::new();
        }
        let y = |count: u32| SKYLINE * (1.0 - f64::from(count) / f64::from(most));
        let outline = |count: &dyn Fn(usize) -> u32| {
            let mut points = format!("0,{SKYLINE} ");
            for (at, level) in self.levels.iter().enumerate() {
                let end = self.levels.get(at + 1).map_or(level.at, |next| next.at);
                let _ =
                    write!(points, "{:.1},{:.1} {:.1},{1:.1} ", self.x(level.at), y(count(at)), self.x(end));
            }
            points + &format!("{WIDTH},{SKYLINE}")
        };
        let all = outline(&|at| self.levels[at].running + self.levels[at].queued);
        let running = outline(&|at| self.levels[at].running);
        format!(
            "<h2>How many at once</h2>\n<p class=\"dim key\">At most {most}.<i style=\"background:var(--ok)\"></i>\
             at work<i style=\"background:var(--queue)\"></i>ready, and kept waiting</p>\n\
             <svg viewBox=\"0 0 {WIDTH} {:.0}\" role=\"img\" aria-label=\"How many at once\">\n{}\
             <polygon class=\"queue\" points=\"{all}\"/>\n<polygon class=\"ok\" points=\"{running}\"/>\n</svg>\n",
            SKYLINE + 24.0,
            self.marks(SKYLINE)
        )
    }

    fn waited(&self) -> String {
        let queued = &self.queued;
        let causes = [
            ("every place was taken", queued.slots),
            ("locks, units of resources", queued.claims),
            ("breakers", queued.breakers),
            ("nothing: being started", queued.overhead),
        ];
        let most = causes.iter().map(|(_, time)| *time).max().unwrap_or_default();
        let rows = causes.iter().map(|(what, time)| bar_row(what, *time, most, ""));
        format!(
            "<h2>What ready tasks waited for</h2>\n<table>\n{}</table>\n<p class=\"dim\">All tasks together.</p>\n",
            rows.collect::<String>()
        )
    }

    fn determined(&self) -> String {
        let links = &self.performance.critical;
        let most = links.iter().map(|link| link.took).max().unwrap_or_default();
        let queued = |time: Duration| {
            if time < Duration::from_millis(1) {
                String::new()
            } else {
                format!("after {} in the queue", short(time))
            }
        };
        let rows = links.iter().map(|link| bar_row(&link.path, link.took, most, &queued(link.queued)));
        format!("<h2>What determined the end</h2>\n<table>\n{}</table>\n", rows.collect::<String>())
    }

    fn slower(&self) -> String {
        if self.slow.is_empty() {
            return String::new();
        }
        let rows = self.slow.iter().map(|slow| {
            format!(
                "<tr><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td></tr>\n",
                escaped(&slow.path),
                short(slow.took),
                short(slow.usual)
            )
        });
        format!(
            "<h2>Slower than usual</h2>\n<table>\n<tr><th>task</th><th class=\"number\">this time</th>\
             <th class=\"number\">usually</th></tr>\n{}</table>\n",
            rows.collect::<String>()
        )
    }
}

fn bar_row(what: &str, time: Duration, most: Duration, note: &str) -> String {
    let percent = 100.0 * time.as_secs_f64() / most.as_secs_f64().max(1e-6);
    format!(
        "<tr><td>{}</td><td class=\"number\">{}</td><td class=\"bar\"><div style=\"width:{percent:.1}%\"></div></td>\
         <td class=\"dim\">{}</td></tr>\n",
        escaped(what),
        short(time),
        escaped(note)
    )
}

/// Colour only adds: what failed is marked as well.
fn look(state: TaskState) -> (&'static str, &'static str) {
    match state {
        TaskState::Ended(TaskOutcome::Succeeded) => ("ok", ""),
        TaskState::Ended(TaskOutcome::Failed | TaskOutcome::TimedOut) => ("bad", "✗ "),
        TaskState::Ended(TaskOutcome::Cancelled | TaskOutcome::Skipped)
        | TaskState::Blocked
        | TaskState::Ready
        | TaskState::Running { .. }
        | TaskState::Stopping { .. }
        | TaskState::Backoff { .. }
        | TaskState::Waiting { .. }
        | TaskState::Open => ("other", ""),
    }
}

/// 1, 2 or 5 times a power of ten, in seconds; not below a millisecond.
fn round_step(seconds: f64) -> f64 {
    let power = 10f64.powf(seconds.max(1e-3).log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= seconds);
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use crate::review::{Review, Surroundings};
    use crate::testing::{month_end, story};

    #[test]
    fn no_name_becomes_markup() {
        let (mut run, mut tasks, definition) = month_end();
        run.name = "<script>alert(1)</script>".to_owned();
        tasks[0].path = "a\"><img src=x onerror=alert(1)>".into();
        let page = Review::of(&story(&run, &tasks, &definition), &Surroundings::default()).html();
        assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
        assert!(page.contains("&quot;&gt;&lt;img"), "{page}");
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    }

    #[test]
    fn a_page_needs_nothing_else() {
        let (run, tasks, definition) = month_end();
        let page = Review::of(&story(&run, &tasks, &definition), &Surroundings::default()).html();
        assert!(!page.contains("http"), "{page}");
        assert_eq!(page.matches("<rect").count(), 4);
    }
}
