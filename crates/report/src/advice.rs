//! What would make a run shorter. Everything that is claimed follows from the records: no guess about what would happen
//! if.

use std::fmt;
use std::time::Duration;

use crate::review::Review;
use crate::time::short;

/// Something that would help.
#[derive(Clone, Debug, PartialEq)]
pub enum Advice {
    /// A task that determined when the run ended took so much of it.
    Bottleneck {
        /// Its path.
        path: String,
        /// From its start to its end.
        took: Duration,
        /// Of the whole run.
        share: f64,
    },
    /// Ready tasks found every place taken.
    Places {
        /// For so long.
        crowded: Duration,
        /// So many there were.
        slots: u32,
    },
    /// Tasks waited for locks or for units of a resource.
    Claims {
        /// All together.
        waited: Duration,
        /// The one that waited longest.
        path: String,
        /// So long.
        longest: Duration,
    },
    /// Tasks depend on each other so much that the run was as short as it can be.
    Chain {
        /// How short that is.
        at_best: Duration,
        /// How much parallelism the work would allow.
        factor: f64,
    },
    /// A task took much longer than usual.
    Slow {
        /// Its path.
        path: String,
        /// So long.
        took: Duration,
        /// So long usually.
        usual: Duration,
    },
}

/// A share of the run below which a task is nothing that anybody should look at.
const SHARE_MIN: f64 = 0.2;

/// Tasks named for each kind of advice.
const NAMED_MAX: usize = 3;

pub(crate) fn of(review: &Review) -> Vec<Advice> {
    let mut all = bottlenecks(review);
    all.extend(places(review));
    all.extend(claims(review));
    all.extend(chain(review));
    let slow = review.slow.iter().take(NAMED_MAX);
    all.extend(slow.map(|slow| Advice::Slow { path: slow.path.clone(), took: slow.took, usual: slow.usual }));
    all
}

fn bottlenecks(review: &Review) -> Vec<Advice> {
    let wall = review.performance.wall.as_secs_f64().max(1e-6);
    let mut links: Vec<Advice> = review
        .performance
        .critical
        .iter()
        .map(|link| (link, link.took.as_secs_f64() / wall))
        .filter(|&(_, share)| share >= SHARE_MIN)
        .map(|(link, share)| Advice::Bottleneck { path: link.path.clone(), took: link.took, share })
        .collect();
    links.sort_by(|a, b| b.weight().total_cmp(&a.weight()));
    links.truncate(NAMED_MAX);
    links
}

fn places(review: &Review) -> Option<Advice> {
    let crowded = review.crowded();
    let matters = crowded * 20 >= review.performance.wall && crowded > Duration::from_millis(50);
    matters.then_some(Advice::Places { crowded, slots: review.slots })
}

fn claims(review: &Review) -> Option<Advice> {
    let waited = review.queued.claims;
    let waiters = review.timeline.spans.iter().filter(|span| span.works && !span.claims.is_empty());
    let longest = waiters.max_by_key(|span| span.queued())?;
    let matters = longest.queued() * 20 >= review.performance.wall && waited > Duration::from_millis(50);
    matters.then(|| Advice::Claims { waited, path: longest.path.clone(), longest: longest.queued() })
}

/// The run was hardly longer than its longest chain: only fewer needs, or shorter tasks, can help.
fn chain(review: &Review) -> Option<Advice> {
    let (wall, at_best) = (review.performance.wall, review.at_best);
    let is_tight = at_best.as_secs_f64() >= 0.9 * wall.as_secs_f64() && !at_best.is_zero();
    let factor = review.performance.attempts.as_secs_f64() / at_best.as_secs_f64().max(1e-6);
    is_tight.then_some(Advice::Chain { at_best, factor })
}

impl Advice {
    fn weight(&self) -> f64 {
        match self {
            Advice::Bottleneck { share, .. } => *share,
            Advice::Places { .. } | Advice::Claims { .. } | Advice::Chain { .. } | Advice::Slow { .. } => 0.0,
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Advice::Bottleneck { path, took, share } => write!(
                f,
                "`{path}` took {} of the run ({:.0} %), and everything waited for it: make it shorter, or split it",
                short(*took),
                share * 100.0
            ),
            Advice::Places { crowded, slots } => write!(
                f,
                "for {} {} taken while more was ready: a higher --concurrency would help, if the machine can bear it",
                short(*crowded),
                if *slots == 1 {
                    "the only place was".to_owned()
                } else {
                    format!("all {slots} places were")
                }
            ),
            Advice::Claims { waited, path, longest } => write!(
                f,
                "tasks waited {} for locks and resources, `{path}` longest ({}): hold them for a shorter time, \
                 share them for reading, or raise the limit",
                short(*waited),
                short(*longest)
            ),
            Advice::Chain { at_best, factor } => write!(
                f,
                "the longest chain alone takes {}: more places change nothing, fewer `needs` would \
                 ({factor:.1} things at once is all that this graph allows)",
                short(*at_best)
            ),
            Advice::Slow { path, took, usual } => {
                write!(f, "`{path}` took {}, usually {}", short(*took), short(*usual))
            }
        }
    }
}
