//! What registering a task definition checks.

use super::NAME_MAX;
use super::workflow::{schemas, under};
use crate::wire::{TaskDef, ValidationError};

/// All faults of a task definition. Paths begin with `prefix`: `registerTaskDef.arg0[0]`.
pub fn task_def(def: &TaskDef, prefix: &str) -> Vec<ValidationError> {
    let mut faults = Vec::new();
    if def.name.is_empty() {
        faults.push(ValidationError::new("name", "TaskDef name cannot be null or empty"));
    }
    if def.name.len() > NAME_MAX {
        faults.push(ValidationError::new("name", format!("names have at most {NAME_MAX} bytes")));
    }
    minima(def, &mut faults);
    spans(def, &mut faults);
    if def.enforce_schema {
        schemas([("inputSchema", &def.input_schema), ("outputSchema", &def.output_schema)], &mut faults);
    }
    under(prefix, faults)
}

fn minima(def: &TaskDef, faults: &mut Vec<ValidationError>) {
    let from_zero = [
        ("retryCount", def.retry_count),
        ("pollTimeoutSeconds", def.poll_timeout_seconds.unwrap_or(0)),
        ("maxRetryDelaySeconds", def.max_retry_delay_seconds),
        ("backoffJitterMs", def.backoff_jitter_ms),
        ("totalTimeoutSeconds", def.total_timeout_seconds),
    ];
    for (field, number) in from_zero {
        if number < 0 {
            faults.push(ValidationError::of(field, format!("TaskDef {field}: 0 must be >= 0"), number));
        }
    }
    if def.response_timeout_seconds < 1 {
        let number = def.response_timeout_seconds;
        let message = format!("TaskDef responseTimeoutSeconds: {number} should be minimum 1 second");
        faults.push(ValidationError::of("responseTimeoutSeconds", message, number));
    }
    if let Some(scale) = def.backoff_scale_factor.filter(|&scale| scale < 1) {
        let message = "Backoff scale factor. Applicable for LINEAR_BACKOFF";
        faults.push(ValidationError::of("backoffScaleFactor", message, scale));
    }
}

/// A shorter span within a longer one.
fn spans(def: &TaskDef, faults: &mut Vec<ValidationError>) {
    let TaskDef { name, response_timeout_seconds: response, timeout_seconds: timeout, .. } = def;
    let total = def.total_timeout_seconds;
    if *timeout > 0 && response > timeout {
        faults.push(ValidationError::new(
            "",
            format!("TaskDef: {name} responseTimeoutSeconds: {response} must be less than timeoutSeconds: {timeout}"),
        ));
    }
    if total > 0 && *timeout > total {
        faults.push(ValidationError::new(
            "",
            format!("TaskDef: {name} timeoutSeconds: {timeout} must be less than or equal to totalTimeoutSeconds: {total}"),
        ));
    }
}
