//! What starts runs by the clock.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parts::parts;
use super::request::StartWorkflowRequest;
use super::scalar::{or_default, some_text, some_whole, text, truth, whole};
use super::workflow_def::Tag;

/// A run that is started again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowSchedule {
    /// Its name.
    #[serde(deserialize_with = "text")]
    pub name: String,
    /// When: six fields, seconds first.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub cron_expression: Option<String>,
    /// What is missed while the server is down or the schedule late is made up for: each time, not only the first.
    #[serde(deserialize_with = "truth")]
    pub run_catchup_schedule_instances: bool,
    /// Nothing is started.
    #[serde(deserialize_with = "truth")]
    pub paused: bool,
    /// Why not.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub paused_reason: Option<String>,
    /// What is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_workflow_request: Option<StartWorkflowRequest>,
    /// In which time zone the expression is meant.
    #[serde(default = "utc", deserialize_with = "zone")]
    pub zone_id: String,
    /// Nothing is started before, in milliseconds.
    #[serde(deserialize_with = "some_whole", skip_serializing_if = "Option::is_none")]
    pub schedule_start_time: Option<i64>,
    /// Nothing is started after, in milliseconds.
    #[serde(deserialize_with = "some_whole", skip_serializing_if = "Option::is_none")]
    pub schedule_end_time: Option<i64>,
    /// When it was first registered, in milliseconds.
    #[serde(deserialize_with = "whole")]
    pub create_time: i64,
    /// When this form of it was registered.
    #[serde(deserialize_with = "whole")]
    pub updated_time: i64,
    /// By whom.
    #[serde(deserialize_with = "text")]
    pub created_by: String,
    /// By whom.
    #[serde(deserialize_with = "text")]
    pub updated_by: String,
    /// For people.
    #[serde(deserialize_with = "some_text", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Several times; where there are any, they take the place of `cronExpression`.
    #[serde(deserialize_with = "parts")]
    pub cron_schedules: Vec<CronSchedule>,
    /// Its labels.
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
    /// When it starts something next, in milliseconds.
    #[serde(deserialize_with = "some_whole", skip_serializing_if = "Option::is_none")]
    pub next_run_time: Option<i64>,
}

/// One of several times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CronSchedule {
    /// When.
    #[serde(deserialize_with = "text")]
    pub cron_expression: String,
    /// In which time zone.
    #[serde(default = "utc", deserialize_with = "zone")]
    pub zone_id: String,
}

fn zone<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    text(deserializer).map(|zone| if zone.is_empty() { utc() } else { zone })
}

fn utc() -> String {
    "UTC".to_owned()
}

/// What a schedule has started, or why it has not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ScheduleExecution {
    /// Its id.
    pub execution_id: String,
    /// Of which schedule.
    pub schedule_name: String,
    /// When it was due, in milliseconds.
    pub scheduled_time: i64,
    /// When it was done, in milliseconds.
    pub execution_time: i64,
    /// Of which workflow.
    pub workflow_name: String,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<String>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was asked for.
    pub start_workflow_request: StartWorkflowRequest,
    /// What became of it.
    pub state: ScheduleState,
    /// In which time zone.
    pub zone_id: String,
}

/// What became of a start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "Conductor's words say it")]
pub enum ScheduleState {
    Polled,
    Failed,
    #[default]
    Executed,
}
