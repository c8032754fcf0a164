//! Task definitions as policies: tries and pauses, times, limits.

use std::time::Duration;

use partitur_model::definition::{
    Backoff, Cache, OnTimeout, RemoteLimits, Retry, Schemas, Template, Timeouts,
};

use crate::TaskType;
use crate::wire::{CacheConfig, RetryLogic, SchemaDef, TaskDef, TimeoutPolicy, WorkflowTask};

/// Conductor counts seconds in 32 bits; no pause is longer.
const PAUSE_MAX: Duration = Duration::from_secs(i32::MAX as u64);

/// When and how often a failed attempt is followed by another.
pub fn retry(task: &WorkflowTask, def: &TaskDef) -> Option<Box<Retry>> {
    let retries = task.retry_count.unwrap_or(def.retry_count);
    let retries = u32::try_from(retries).unwrap_or(0);
    if retries == 0 || is_never_tried_again(&task.task_type()) {
        return None;
    }
    let delay = seconds(def.retry_delay_seconds).unwrap_or_default();
    let scale = u32::try_from(def.backoff_scale_factor.unwrap_or(1)).unwrap_or(1);
    let (base, backoff) = match def.retry_logic {
        RetryLogic::Fixed => (delay, Backoff::Fixed),
        RetryLogic::LinearBackoff => (delay.saturating_mul(scale).min(PAUSE_MAX), Backoff::Linear),
        RetryLogic::ExponentialBackoff => (delay, Backoff::Exponential { factor: 2.0 }),
    };
    Some(Box::new(Retry {
        attempts: retries.saturating_add(1),
        base,
        backoff,
        max: seconds(def.max_retry_delay_seconds).unwrap_or(PAUSE_MAX),
        jitter: false,
        spread: Duration::from_millis(u64::try_from(def.backoff_jitter_ms).unwrap_or(0)),
        errors: Vec::new(),
        condition: None,
        until: None,
    }))
}

/// Whether a type is one whose failure follows from that of others.
fn is_never_tried_again(kind: &TaskType) -> bool {
    match kind {
        TaskType::Decision
        | TaskType::Switch
        | TaskType::ForkJoin
        | TaskType::ForkJoinDynamic
        | TaskType::Join
        | TaskType::ExclusiveJoin
        | TaskType::DoWhile => true,
        TaskType::Simple
        | TaskType::Custom(_)
        | TaskType::Http
        | TaskType::HttpPoll
        | TaskType::Inline
        | TaskType::Lambda
        | TaskType::JsonJqTransform
        | TaskType::Dynamic
        | TaskType::SubWorkflow
        | TaskType::StartWorkflow
        | TaskType::Terminate
        | TaskType::SetVariable
        | TaskType::Wait
        | TaskType::Human
        | TaskType::Yield
        | TaskType::Event
        | TaskType::PullMessages
        | TaskType::Noop
        | TaskType::Absent(_) => false,
    }
}

/// What must not take longer.
pub fn timeouts(def: &TaskDef) -> Timeouts {
    Timeouts {
        attempt: seconds(def.timeout_seconds),
        heartbeat: seconds(def.response_timeout_seconds),
        queue: def.poll_timeout_seconds.and_then(seconds),
        total: seconds(def.total_timeout_seconds),
    }
}

/// What follows when it does take longer.
pub fn on_timeout(def: &TaskDef) -> OnTimeout {
    match def.timeout_policy {
        TimeoutPolicy::Retry => OnTimeout::Retry,
        TimeoutPolicy::TimeOutWf => OnTimeout::EndRun,
        TimeoutPolicy::AlertOnly => OnTimeout::Tell,
    }
}

/// What goes in and what comes out, if the definition wants its schemas obeyed. What a task only arranges has none.
pub fn schemas(kind: &TaskType, def: &TaskDef) -> Option<Box<Schemas>> {
    let does_something = match kind {
        TaskType::Simple
        | TaskType::Custom(_)
        | TaskType::Http
        | TaskType::HttpPoll
        | TaskType::Inline
        | TaskType::Lambda
        | TaskType::JsonJqTransform
        | TaskType::Wait
        | TaskType::Human
        | TaskType::PullMessages
        | TaskType::Yield => true,
        TaskType::Decision
        | TaskType::Switch
        | TaskType::ForkJoin
        | TaskType::ForkJoinDynamic
        | TaskType::Join
        | TaskType::ExclusiveJoin
        | TaskType::DoWhile
        | TaskType::Dynamic
        | TaskType::SubWorkflow
        | TaskType::StartWorkflow
        | TaskType::Terminate
        | TaskType::SetVariable
        | TaskType::Event
        | TaskType::Noop
        | TaskType::Absent(_) => false,
    };
    let source = |schema: &Option<SchemaDef>| schema.as_ref().and_then(SchemaDef::source);
    let schemas = Schemas { input: source(&def.input_schema), output: source(&def.output_schema) };
    let wanted = def.enforce_schema && does_something && schemas != Schemas::default();
    wanted.then(|| Box::new(schemas))
}

/// When an equal earlier result serves, of a task that yields something of its own and of whole workflows. Without a key,
/// equal input is enough.
pub fn cache(config: Option<&CacheConfig>) -> Option<Cache> {
    let config = config?;
    let key = config.key.clone().filter(|key| !key.is_empty()).map(Template);
    Some(Cache { ttl: seconds(config.ttl_in_second)?, key })
}

/// Whether a result of a task of this type may serve others.
pub fn yields_results(kind: &TaskType) -> bool {
    match kind {
        TaskType::Simple
        | TaskType::Custom(_)
        | TaskType::Http
        | TaskType::HttpPoll
        | TaskType::Inline
        | TaskType::Lambda
        | TaskType::JsonJqTransform
        | TaskType::SubWorkflow => true,
        TaskType::Wait
        | TaskType::Human
        | TaskType::Yield
        | TaskType::PullMessages
        | TaskType::Decision
        | TaskType::Switch
        | TaskType::ForkJoin
        | TaskType::ForkJoinDynamic
        | TaskType::Join
        | TaskType::ExclusiveJoin
        | TaskType::DoWhile
        | TaskType::Dynamic
        | TaskType::StartWorkflow
        | TaskType::Terminate
        | TaskType::SetVariable
        | TaskType::Event
        | TaskType::Noop
        | TaskType::Absent(_) => false,
    }
}

/// How many at once and how many in a span, over all runs.
pub fn limits(def: &TaskDef) -> RemoteLimits {
    let positive = |number: i64| u32::try_from(number).ok().filter(|&number| number > 0);
    let span = def.rate_limit_frequency_in_seconds.and_then(seconds).unwrap_or(Duration::from_secs(1));
    RemoteLimits {
        name: def.name.clone(),
        concurrency: def.concurrent_exec_limit.and_then(positive),
        rate: def.rate_limit_per_frequency.and_then(positive).map(|starts| (starts, span)),
    }
}

/// A span in seconds; none if it is 0 or less.
pub fn seconds(number: i64) -> Option<Duration> {
    u64::try_from(number).ok().filter(|&seconds| seconds > 0).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retried(def: TaskDef) -> Retry {
        *retry(&WorkflowTask::default(), &def).unwrap()
    }

    #[test]
    fn pauses_grow_as_the_definition_says() {
        let def = TaskDef { retry_delay_seconds: 5, backoff_scale_factor: Some(3), ..TaskDef::default() };
        let fixed = retried(def.clone());
        assert_eq!((fixed.attempts, fixed.base, fixed.backoff), (4, Duration::from_secs(5), Backoff::Fixed));
        let linear = retried(TaskDef { retry_logic: RetryLogic::LinearBackoff, ..def.clone() });
        assert_eq!((linear.base, linear.backoff), (Duration::from_secs(15), Backoff::Linear));
        let capped = TaskDef { max_retry_delay_seconds: 9, backoff_jitter_ms: 250, ..def };
        let capped = retried(TaskDef { retry_logic: RetryLogic::ExponentialBackoff, ..capped });
        assert_eq!((capped.base, capped.max), (Duration::from_secs(5), Duration::from_secs(9)));
        assert_eq!((capped.spread, capped.jitter), (Duration::from_millis(250), false));
    }

    #[test]
    fn a_task_may_say_otherwise_and_a_switch_is_never_tried_again() {
        let task = WorkflowTask { retry_count: Some(0), ..WorkflowTask::default() };
        assert_eq!(retry(&task, &TaskDef::default()), None);
        let switch = WorkflowTask { kind: Some("SWITCH".to_owned()), ..WorkflowTask::default() };
        assert_eq!(retry(&switch, &TaskDef::default()), None);
    }

    #[test]
    fn nothing_is_no_limit() {
        assert_eq!(limits(&TaskDef::default()), RemoteLimits::default());
        let def = TaskDef {
            concurrent_exec_limit: Some(2),
            rate_limit_per_frequency: Some(5),
            rate_limit_frequency_in_seconds: Some(10),
            ..TaskDef::default()
        };
        let limits = limits(&def);
        assert_eq!((limits.concurrency, limits.rate), (Some(2), Some((5, Duration::from_secs(10)))));
    }
}
