//! What must hold of a run that was killed again and again: judged by what the tasks wrote down and what was told.

use std::collections::{BTreeMap, BTreeSet};

use partitur_tests::journal::{Attempt, Line, overlaps};

/// What is known of a run.
pub struct Case<'a> {
    pub seed: u64,
    pub journal: &'a [Line],
    /// The tasks whose success was told, life by life of the host.
    pub told: &'a [BTreeSet<String>],
}

/// The story of one task.
#[derive(Default)]
struct Story<'a> {
    /// Its starts: in which life, and how many failures and kills came before.
    starts: Vec<(usize, u32, &'a Attempt)>,
    ends: u32,
    failures: u32,
}

impl Case<'_> {
    /// Judges all of it.
    ///
    /// # Panics
    /// If something does not hold.
    pub fn judge(&self) {
        let overlaps = overlaps(self.journal);
        assert!(overlaps.is_empty(), "seed {}: {overlaps:?}", self.seed);
        let stories = self.stories();
        for (task, story) in &stories {
            self.judge_task(task, story);
        }
        self.what_was_told_is_not_run_again(&stories);
    }

    fn stories(&self) -> BTreeMap<&str, Story<'_>> {
        let mut stories: BTreeMap<&str, Story<'_>> = BTreeMap::new();
        let mut life = 0;
        for line in self.journal {
            match line {
                Line::Start(attempt) => {
                    let story = stories.entry(&attempt.task).or_default();
                    story.starts.push((life, story.failures, attempt));
                }
                Line::End(attempt) => stories.entry(&attempt.task).or_default().ends += 1,
                Line::Fail(attempt) => stories.entry(&attempt.task).or_default().failures += 1,
                Line::Stop(_) | Line::Overlap(..) => {}
                Line::Kill => life += 1,
            }
        }
        stories
    }

    fn judge_task(&self, task: &str, story: &Story<'_>) {
        let place = format!("seed {}, task {task}", self.seed);
        assert!(story.ends >= 1, "{place}: it has never ended");
        for pair in story.starts.windows(2) {
            let ((life, _, earlier), (next_life, failures, later)) = (pair[0], pair[1]);
            assert!(earlier.token < later.token, "{place}: the token did not rise: {earlier:?}, {later:?}");
            let killed = life < next_life;
            if !killed {
                assert_eq!(later.number, earlier.number + 1, "{place}: started twice in one life");
            }
            assert!(later.number >= earlier.number, "{place}: attempts count up");
            // A failure that was not durable at the kill has not happened.
            assert!(
                later.number <= failures + 1,
                "{place}: a crash used up an attempt: {earlier:?}, {later:?}"
            );
        }
        let (_, _, first) = story.starts[0];
        assert_eq!(first.number, 1, "{place}");
    }

    /// What is told is durable: a success that somebody has heard of is never repeated.
    fn what_was_told_is_not_run_again(&self, stories: &BTreeMap<&str, Story<'_>>) {
        for (task, story) in stories {
            let lives: Vec<usize> = (0..self.told.len()).filter(|&life| self.was_told(life, task)).collect();
            assert!(
                lives.len() <= 1,
                "seed {}: the end of {task} was told in the lives {lives:?}",
                self.seed
            );
            let last = story.starts.last().map(|(life, ..)| *life);
            if let (Some(&told), Some(last)) = (lives.first(), last) {
                assert!(
                    last <= told,
                    "seed {}: {task} was finished, and run again in life {last}",
                    self.seed
                );
            }
        }
    }

    /// Tasks of a sub-run are told under the task that waits for it; their names are unique.
    fn was_told(&self, life: usize, task: &str) -> bool {
        let below = format!("/{task}");
        self.told[life].iter().any(|told| told == task || told.ends_with(&below))
    }
}
