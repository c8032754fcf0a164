//! Who asked for tasks, and when.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use partitur_conductor::wire::PollData;
use partitur_engine::QueueName;
use partitur_model::Timestamp;

/// Queues that are remembered; of more, those asked for least recently are forgotten.
const QUEUES_MAX: usize = 10_000;

/// The last poll of each queue.
#[derive(Default)]
pub struct Workers {
    polls: Mutex<HashMap<QueueName, LastPoll>>,
}

struct LastPoll {
    worker: Arc<str>,
    at: Timestamp,
}

impl Workers {
    /// A worker asks.
    pub fn note(&self, queue: &QueueName, worker: &Arc<str>, now: Timestamp) {
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
