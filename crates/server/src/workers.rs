//! Who asked for tasks, and when.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use partitur_conductor::wire::PollData;
use partitur_engine::QueueName;
use partitur_model::Timestamp;

/// Queues that are remembered; of more, those asked for least recently are forgotten.
const QUEUES_MAX: usize = 10_000;

/// The last poll of each queue.
#[derive(Default)]
pub struct Workers {
    polls: Mutex<HashMap<QueueName, LastPoll>>,
    /// When each of them last asked; those without a name are one.
    seen: Mutex<HashMap<Arc<str>, Timestamp>>,
    /// So many have not been heard of again.
    lost: AtomicU64,
}

/// Of whom nothing was heard for so long, nobody expects anything any more.
const LOST: Duration = Duration::from_secs(60);

/// A worker counts as active for so long after it has asked.
const ACTIVE: Duration = Duration::from_secs(10);

/// Workers that are told apart; when there are more, those are forgotten that are not active.
const WORKERS_MAX: usize = 10_000;

struct LastPoll {
    worker: Arc<str>,
    at: Timestamp,
}

impl Workers {
    /// A worker asks.
    pub fn note(&self, queue: &QueueName, worker: &Arc<str>, now: Timestamp) {
        self.see(worker, now);
        let mut polls = self.polls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = polls.get_mut(queue) {
            last.at = now;
            if last.worker != *worker {
                last.worker = worker.clone();
            }
            return;
        }
        if polls.len() >= QUEUES_MAX {
            let mut times: Vec<Timestamp> = polls.values().map(|last| last.at).collect();
            let (_, &mut middle, _) = times.select_nth_unstable(QUEUES_MAX / 2);
            polls.retain(|_, last| last.at > middle);
        }
        polls.insert(queue.clone(), LastPoll { worker: worker.clone(), at: now });
    }

    fn see(&self, worker: &Arc<str>, now: Timestamp) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = seen.get_mut(worker) {
            *last = now;
            return;
        }
        if seen.len() >= WORKERS_MAX {
            seen.retain(|_, last| *last + ACTIVE > now);
        }
        if seen.len() < WORKERS_MAX {
            seen.insert(worker.clone(), now);
        }
    }

    /// How many workers have asked lately.
    pub fn active(&self, now: Timestamp) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.values().filter(|last| **last + ACTIVE > now).count()
    }

    /// How many workers have stopped asking. Who begins again is another one.
    pub fn lost(&self, now: Timestamp) -> u64 {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.len();
        seen.retain(|_, last| *last + LOST > now);
        let gone = (before - seen.len()) as u64;
        self.lost.fetch_add(gone, Ordering::Relaxed) + gone
    }

    /// The last polls, of one type of tasks or of all.
    pub fn polls(&self, task_type: Option<&str>) -> Vec<PollData> {
        let polls = self.polls.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted =
            polls.iter().filter(|(queue, _)| task_type.is_none_or(|wanted| *queue.task_type == *wanted));
        let mut polls: Vec<PollData> = wanted
            .map(|(queue, last)| PollData {
                queue_name: queue.task_type.to_string(),
                domain: queue.domain.as_deref().map(str::to_owned),
                worker_id: Some(last.worker.to_string()).filter(|worker| !worker.is_empty()),
                last_poll_time: last.at.millis(),
            })
            .collect();
        polls.sort_by(|a, b| (&a.queue_name, &a.domain).cmp(&(&b.queue_name, &b.domain)));
        polls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_not_asked_for_a_minute_is_lost_once() {
        let workers = Workers::default();
        let queue = QueueName { task_type: "t".into(), domain: None };
        let at = |seconds: u64| Timestamp::from_millis(seconds * 1_000);
        workers.note(&queue, &"a".into(), at(0));
        workers.note(&queue, &"b".into(), at(50));
        assert_eq!([workers.lost(at(59)), workers.lost(at(61)), workers.lost(at(62))], [0, 1, 1]);
        assert_eq!(workers.active(at(55)), 1);
        workers.note(&queue, &"a".into(), at(63));
        assert_eq!(workers.lost(at(200)), 3);
    }
}
