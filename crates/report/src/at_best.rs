//! How short a run could have been: every task as long as it was, with a place for each and no lock in the way.

use std::time::Duration;

use partitur_graph::{Csr, Waves, earliest_starts};

use crate::timeline::Timeline;

/// The longest way through the run. Parts of a container lie between its beginning and its end; a loop, whose
/// iterations follow each other, stays as long as it was.
pub(crate) fn at_best(timeline: &Timeline) -> Duration {
    let spans = &timeline.spans;
    let count = spans.len() as u32;
    // Each span has a beginning, which takes its time, and an end, which takes none.
    let (begin, end) = (|at: usize| at as u32, |at: usize| at as u32 + count);
    let hidden = hidden(timeline);
    let mut is_told_by_parts = vec![false; spans.len()];
    let mut edges: Vec<(u32, u32)> = (0..spans.len()).map(|at| (begin(at), end(at))).collect();
    for (at, span) in spans.iter().enumerate().filter(|(at, _)| !hidden[*at]) {
        if let Some(container) = span.inside {
            is_told_by_parts[container] = true;
            edges.extend([(begin(container), begin(at)), (end(at), end(container))]);
        }
    }
    let shown = |&&(from, to): &&(usize, usize)| !hidden[from] && !hidden[to];
    edges.extend(timeline.waited_for.iter().filter(shown).map(|&(from, to)| (end(from), begin(to))));
    let micros =
        |at: usize| if is_told_by_parts[at] || hidden[at] { 0 } else { spans[at].took().as_micros() as u64 };
    let mut durations: Vec<u64> = (0..spans.len()).map(micros).collect();
    durations.resize(spans.len() * 2, 0);
    let graph = Csr::build(count * 2, &edges);
    // Records of a run hold no cycle; of such as contradict each other nothing can be said.
    let Ok(waves) = Waves::of(&graph) else { return timeline.length };
    let starts = earliest_starts(&graph, &waves, &durations);
    let ends = starts.iter().zip(&durations).map(|(start, took)| start + took);
    Duration::from_micros(ends.max().unwrap_or(0))
}

/// What is part of a loop, however deep. Whatever contains others comes before them or starts with them.
fn hidden(timeline: &Timeline) -> Vec<bool> {
    let spans = &timeline.spans;
    let is_hidden = |at: usize| {
        let above = |&at: &usize| spans[at].inside;
        // The bound keeps records that contradict each other from leading in circles.
        std::iter::successors(spans[at].inside, above).take(spans.len()).any(|above| spans[above].repeats)
    };
    (0..spans.len()).map(is_hidden).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{month_end, story};

    #[test]
    fn at_best_only_needs_count() {
        let (run, tasks, definition) = month_end();
        // load 2, orders 6, close 1: the lock that kept stock waiting is left out.
        assert_eq!(at_best(&Timeline::of(&story(&run, &tasks, &definition))), Duration::from_secs(9));
    }
}
