//! A review as people and scripts read it.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::review::{Queued, Review};
use crate::state::state_name;
use crate::time::{bytes, short};
use crate::timeline::{Level, Span};

/// Columns of the picture of how many ran.
const COLUMNS: usize = 60;

/// An eighth of a place each.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

impl Review {
    /// For a terminal.
    pub fn text(&self) -> String {
        let mut out = format!("{}\n\n", self.performance.headline());
        for (name, text) in self.lines() {
            let _ = writeln!(out, "  {name:<15}{text}");
        }
        if self.usage.most > 0 {
            let _ = write!(out, "\n  at work, of at most {}\n  {}\n", self.usage.most, self.skyline());
        }
        if !self.advice.is_empty() {
            out += "\n  what would help\n";
            for advice in &self.advice {
                let _ = writeln!(out, "  • {advice}");
            }
        }
        out
    }

    fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = self.performance.lines();
        // It tells of waits what the records alone say; here they are taken apart.
        lines.retain(|(name, _)| *name != "waits");
        lines.push((
            "at best",
            format!("{} with a place for every task and no lock in the way", short(self.at_best)),
        ));
        lines.push((
            "parallelism",
            format!("{:.1} at once while any ran, {} at most", self.usage.mean, self.usage.most),
        ));
        lines.push((
            "used",
            format!(
                "{:.0} % of {}, {:.0} % of the processors, {} of memory at most",
                self.usage.places * 100.0,
                if self.slots == 1 { "one place".to_owned() } else { format!("{} places", self.slots) },
                self.usage.processors * 100.0,
                bytes(self.usage.memory)
            ),
        ));
        lines.push(("waits", waits(&self.queued)));
        lines
    }

    /// How many were at work over the time, a column for each part of it.
    fn skyline(&self) -> String {
        let most = f64::from(self.usage.most.max(1));
        let part = self.timeline.length.as_secs_f64().max(1e-6) / COLUMNS as f64;
        let column = |at: usize| {
            let mean = mean_running(&self.levels, part * at as f64, part * (at + 1) as f64);
            // Whoever works at all is seen.
            let eighths = (mean / most * 8.0).round().max(if mean > 0.0 { 1.0 } else { 0.0 });
            BARS[(eighths as usize).min(8)]
        };
        (0..COLUMNS).map(column).collect()
    }

    /// For scripts: times in milliseconds since the run was accepted.
    pub fn json(&self) -> Value {
        let performance = &self.performance;
        let queued = &self.queued;
        let critical = performance.critical.iter();
        json!({
            "version": 1,
            "run": performance.run,
            "name": performance.name,
            "wall_ms": millis(performance.wall),
            "attempts_ms": millis(performance.attempts),
            "saved": performance.saving.map(|saving| json!({
                "ms": millis(saving.time), "percent": saving.percent, "factor": saving.factor,
            })),
            "at_best_ms": millis(self.at_best),
            "places": self.slots,
            "parallelism": { "mean": self.usage.mean, "most": self.usage.most },
            "used": {
                "places": self.usage.places,
                "processors": self.usage.processors,
                "memory_bytes": self.usage.memory,
            },
            "queued": {
                "places_ms": millis(queued.slots),
                "claims_ms": millis(queued.claims),
                "breakers_ms": millis(queued.breakers),
                "overhead_ms": millis(queued.overhead),
            },
            "crowded_ms": millis(self.crowded()),
            "critical_path": critical.map(|link| json!({
                "task": link.path, "ms": millis(link.took), "queued_ms": millis(link.queued),
            })).collect::<Vec<_>>(),
            "slow": self.slow.iter().map(|slow| json!({
                "task": slow.path, "ms": millis(slow.took), "usual_ms": millis(slow.usual),
            })).collect::<Vec<_>>(),
            "advice": self.advice.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "levels": self.levels.iter().map(|level| json!([millis(level.at), level.running, level.queued]))
                .collect::<Vec<_>>(),
            "tasks": self.timeline.spans.iter().map(span_json).collect::<Vec<_>>(),
        })
    }
}

fn span_json(span: &Span) -> Value {
    json!({
        "task": span.path,
        "state": state_name(span.state),
        "works": span.works,
        "lane": span.lane,
        "ready_ms": millis(span.ready),
        "started_ms": millis(span.from),
        "ended_ms": millis(span.to),
        "attempts": span.attempts,
        "cached": span.cached,
        "cpu_us": span.usage.cpu_micros,
        "rss_bytes": span.usage.rss_max,
    })
}

fn waits(queued: &Queued) -> String {
    let named = [
        ("places", queued.slots),
        ("locks and resources", queued.claims),
        ("breakers", queued.breakers),
        ("starting", queued.overhead),
    ];
    let shown = named.iter().filter(|(_, time)| *time >= Duration::from_millis(1));
    let shown: Vec<String> = shown.map(|(name, time)| format!("{name} {}", short(*time))).collect();
    if shown.is_empty() {
        "none: whatever was ready started at once".to_owned()
    } else {
        format!("{} (all tasks together)", shown.join(" · "))
    }
}

/// The mean number at work in a part of the time, in seconds.
fn mean_running(levels: &[Level], from: f64, to: f64) -> f64 {
    let first = levels.partition_point(|level| level.at.as_secs_f64() <= from).saturating_sub(1);
    let mut sum = 0.0;
    for (at, level) in levels.iter().enumerate().skip(first) {
        let begin = level.at.as_secs_f64();
        if begin >= to {
            break;
        }
        let end = levels.get(at + 1).map_or(begin, |next| next.at.as_secs_f64());
        sum += f64::from(level.running) * (end.min(to) - begin.max(from)).max(0.0);
    }
    sum / (to - from)
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
