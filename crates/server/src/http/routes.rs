//! All routes, in one table: from it come the router, the OpenAPI document and the reference page.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post, put};

use partitur_conductor::wire::{
    EventHandler, Json, Object, RerunWorkflowRequest, SchemaDef, SkipTaskRequest, StartWorkflowRequest, Tag,
    TaskDef, TaskResult, WorkflowDef, WorkflowSchedule, WorkflowTestRequest,
};
use schemars::{Schema, SchemaGenerator};

use super::answer::Error;
use super::gate::{self, Budget, Gate};
use super::input::{Many, OptionalObject};
use super::openapi;
use crate::app::App;
use crate::auth::Right;
use crate::conductor_api::{
    bulk, event, execute, labels, metadata, ops, queue, schedule, schema, search, size, storage, tags, tasks,
    testing, workflow,
};
use crate::metrics::scrape;
use crate::native_api::{
    bulk as native_bulk, callbacks, documents, exchange, follow, keys, locks, logs, runs, story, system,
};

/// One route.
pub(crate) struct Route {
    pub method: Method,
    pub path: &'static str,
    pub group: &'static str,
    /// What it does, in a line.
    pub summary: &'static str,
    /// What stands behind the `?`, if anything does.
    pub query: &'static str,
    /// What is sent with it, if anything is.
    pub body: Option<Body>,
    /// What whoever asks must be allowed.
    pub right: Right,
    handler: MethodRouter<Arc<App>>,
}

/// The schema of a body.
pub(crate) type Body = fn(&mut SchemaGenerator) -> Schema;

/// Rows of the table: who may (a row without does not compile), method, path, what it does, parameters, body, handler.
macro_rules! routes {
    ($group:literal: $($right:ident: $verb:ident $path:literal $summary:literal [$query:literal] $(takes $body:ty)? => $handler:expr;)*) => {
        vec![$(Route {
            method: method(stringify!($verb)),
            path: $path,
            group: $group,
            summary: $summary,
            query: $query,
            body: routes!(@body $($body)?),
            right: Right::$right,
            handler: $verb($handler),
        }),*]
    };
    (@body) => { None };
    (@body $body:ty) => { Some(|generator| generator.subschema_for::<$body>()) };
}

fn method(verb: &str) -> Method {
    match verb {
        "post" => Method::POST,
        "put" => Method::PUT,
        "delete" => Method::DELETE,
        _ => Method::GET,
    }
}

/// Everything that can be asked.
pub(crate) fn table() -> Vec<Route> {
    let groups = [
        tasks_routes(),
        queue_routes(),
        workflow_routes(),
        bulk_routes(),
        metadata_routes(),
        schema_routes(),
        tag_routes(),
        event_routes(),
        schedule_routes(),
        native_routes(),
        ops_routes(),
    ];
    groups.into_iter().flatten().collect()
}

fn tasks_routes() -> Vec<Route> {
    routes! { "Tasks":
        Work: get "/api/tasks/poll/{tasktype}" "Take a task; 204 if there is none" ["workerid, domain"] => tasks::poll;
        Work: get "/api/tasks/poll/batch/{tasktype}" "Take tasks; waits for the first" ["workerid, domain, count=1, timeout=100 (ms, at most 5000)"] => tasks::poll_batch;
        Work: post "/api/tasks" "Say how a task stands" [""] takes TaskResult => tasks::update;
        Work: post "/api/tasks/update-v2" "Say how a task stands, and take the next one of its queue" [""] takes TaskResult => tasks::update_v2;
        Read: get "/api/tasks/{taskId}" "Show a task" [""] => tasks::get;
        Work: post "/api/tasks/{taskId}/log" "Add a line to the log of a task" [""] takes String => tasks::log;
        Read: get "/api/tasks/{taskId}/log" "Show the log of a task; 204 if it is empty" [""] => tasks::logs;
        Work: post "/api/tasks/{workflowId}/{taskRefName}/{status}" "Say how the open task of this name stands" ["workerid"] takes OptionalObject => tasks::update_by_reference;
        Work: post "/api/tasks/{workflowId}/{taskRefName}/{status}/sync" "The same; answers with the run" ["workerid"] takes OptionalObject => tasks::update_by_reference_sync;
        Operate: post "/api/tasks/{workflowId}/{status}/signal" "End the first task of a run that waits" [""] takes OptionalObject => execute::signal;
        Operate: post "/api/tasks/{workflowId}/{status}/signal/sync" "The same; waits for the run" ["returnStrategy, timeoutMillis=5000"] takes OptionalObject => execute::signal_sync;
    }
}

fn workflow_routes() -> Vec<Route> {
    routes! { "Workflows":
        Start: post "/api/workflow" "Start a run; its id as text" [""] takes StartWorkflowRequest => workflow::start_run;
        Start: post "/api/workflow/{name}" "Start a run of this name with the body as its input" ["version, correlationId, priority=0"] takes OptionalObject => workflow::start_named;
        Start: post "/api/workflow/start/{name}/{version}" "Start a run of this version" ["correlationId, priority=0"] takes OptionalObject => workflow::start_version;
        Start: post "/api/workflow/execute/{name}/{version}" "Start a run and wait for it" ["requestId, waitUntilTaskRef, waitForSeconds=10, returnStrategy"] takes StartWorkflowRequest => execute::execute;
        Operate: post "/api/workflow/{workflowId}/state" "Change variables and a task of a run, and wait for it" ["waitUntilTaskRef, waitForSeconds=10"] takes workflow::StateUpdate => workflow::set_state;
        Read: get "/api/workflow/{workflowId}" "Show a run" ["includeTasks=true"] => workflow::get;
        Operate: delete "/api/workflow/{workflowId}" "Terminate a run" ["reason"] => workflow::terminate;
        Read: get "/api/workflow/{workflowId}/tasks" "Show the tasks of a run, by pages" ["start=0, count=15, status"] => workflow::tasks;
        Read: get "/api/workflow/{workflowId}/size" "How large a run is as clients see it" [""] => size::of_run;
        Read: get "/api/workflow/{workflowId}/status" "Show how a run stands" ["includeOutput, includeVariables"] => workflow::status;
        Read: get "/api/workflow/{name}/correlated/{correlationId}" "The runs that their submitters call so" ["includeClosed, includeTasks"] => workflow::correlated;
        Read: post "/api/workflow/{name}/correlated" "The same for many" ["includeClosed, includeTasks"] takes Vec<String> => workflow::correlated_many;
        Read: post "/api/workflow/correlated/batch" "The same for many names" ["includeClosed, includeTasks"] takes workflow::CorrelatedRequest => workflow::correlated_batch;
        Read: get "/api/workflow/search" "Find runs" ["start=0, size=100, sort, freeText, query"] => search::runs;
        Read: get "/api/workflow/search-by-tasks" "Find runs with a task that fits" ["start=0, size=100, sort, freeText, query"] => search::by_tasks;
        Read: get "/api/workflow/search-by-tasks-v2" "Find runs with a task that fits; shows them whole" ["start=0, size=100, sort, freeText, query"] => search::by_tasks_v2;
        Read: get "/api/workflow/search-v2" "Find runs; shows them whole" ["start=0, size=100, sort, freeText, query"] => search::runs_v2;
        Define: post "/api/workflow/test" "A run without workers, whose tasks end as the request says" [""] takes WorkflowTestRequest => testing::test;
        Read: get "/api/workflow/externalstoragelocation" "Where a client may write or read a payload apart from its requests" ["path, operation=READ, payloadType"] => storage::location;
        Read: get "/api/workflow/external-storage-location" "Where a client may write or read a payload apart from its requests" ["path, operation=READ, payloadType"] => storage::location;
        Read: get "/api/workflow/running/{name}" "The runs of this name that have not ended" ["version=1, startTime, endTime"] => workflow::running;
        Operate: delete "/api/workflow/{workflowId}/remove" "Forget a run" ["archiveWorkflow"] => workflow::remove;
        Operate: delete "/api/workflow/{workflowId}/terminate-remove" "Terminate a run and forget it" ["reason"] => workflow::terminate_and_remove;
        Operate: put "/api/workflow/decide/{workflowId}" "Nothing to do: runs are decided as they go" [""] => workflow::decide;
        Operate: put "/api/workflow/{workflowId}/pause" "Start nothing new in a run" [""] => workflow::pause;
        Operate: put "/api/workflow/{workflowId}/resume" "Let a paused run go on" [""] => workflow::resume;
        Operate: post "/api/workflow/{workflowId}/retry" "Go on with an ended run from its failures" ["resumeSubworkflowTasks=false"] => workflow::retry;
        Operate: post "/api/workflow/{workflowId}/restart" "Start an ended run from the beginning" ["useLatestDefinitions=false"] => workflow::restart;
        Operate: post "/api/workflow/{workflowId}/rerun" "Go on with an ended run from one of its tasks" [""] takes RerunWorkflowRequest => workflow::rerun;
        Operate: put "/api/workflow/{workflowId}/skiptask/{taskReferenceName}" "Leave a task out that has not begun" ["skipTaskRequest"] takes Option<SkipTaskRequest> => workflow::skip;
        Operate: post "/api/workflow/{workflowId}/resetcallbacks" "Let tasks that are held back be had at once" [""] => workflow::reset_callbacks;
        Operate: post "/api/workflow/{workflowId}/messages" "Send a message to a run that waits for some; its id as text" [""] takes Object => workflow::send_message;
        Operate: post "/api/workflow/{workflowId}/variables" "Set variables of a run" [""] takes Object => workflow::set_variables;
    }
}

fn queue_routes() -> Vec<Route> {
    routes! { "Queues":
        Read: get "/api/tasks/queue/sizes" "How many tasks wait in these queues" ["taskType"] => queue::of_types;
        Read: get "/api/tasks/queue/size" "How many tasks wait in a queue" ["taskType, domain"] => queue::of_type;
        Read: get "/api/tasks/queue/all" "How many tasks wait in each queue" [""] => queue::all;
        Read: get "/api/tasks/queue/all/verbose" "How many tasks wait in each queue" [""] => queue::all_verbose;
        Read: get "/api/tasks/queue/polldata" "Who asked for tasks of a type" ["taskType"] => queue::polls;
        Read: get "/api/tasks/queue/polldata/all" "Who asked for tasks" [""] => queue::all_polls;
        Work: post "/api/queue/update/{workflowId}/{taskRefName}/{status}" "End a task that waits, by its name" [""] takes OptionalObject => tasks::update_by_reference;
        Work: post "/api/queue/update/{workflowId}/task/{taskId}/{status}" "End a task that waits, by its id" [""] takes OptionalObject => tasks::update_by_id;
        Read: get "/api/queue/size" "Nothing: there are no queues for events" [""] => ops::empty_map;
        Read: get "/api/queue/" "Nothing: there are no queues for events" [""] => ops::empty_map;
        Operate: post "/api/tasks/queue/requeue/{taskType}" "Nothing to do: no task gets lost" [""] => queue::requeue;
        Read: get "/api/tasks/search" "Find tasks" ["start=0, size=100, sort, freeText, query"] => search::tasks;
        Read: get "/api/tasks/search-v2" "Find tasks; shows them whole" ["start=0, size=100, sort, freeText, query"] => search::tasks_v2;
        Open: put "/api/external-storage/{name}" "Write a payload where a client may" [""] takes Json => storage::write;
        Open: get "/api/external-storage/{name}" "A payload" [""] => storage::read;
        Read: get "/api/tasks/externalstoragelocation" "Where a client may write or read a payload apart from its requests" ["path, operation=READ, payloadType"] => storage::location;
        Read: get "/api/tasks/external-storage-location" "Where a client may write or read a payload apart from its requests" ["path, operation=READ, payloadType"] => storage::location;
    }
}

fn bulk_routes() -> Vec<Route> {
    routes! { "Many workflows":
        Operate: put "/api/workflow/bulk/pause" "Pause many runs" [""] takes Vec<String> => bulk::pause;
        Operate: put "/api/workflow/bulk/resume" "Resume many runs" [""] takes Vec<String> => bulk::resume;
        Operate: post "/api/workflow/bulk/restart" "Restart many runs" ["useLatestDefinitions=false"] takes Vec<String> => bulk::restart;
        Operate: post "/api/workflow/bulk/retry" "Retry many runs" [""] takes Vec<String> => bulk::retry;
        Operate: post "/api/workflow/bulk/terminate" "Terminate many runs" ["reason"] takes Vec<String> => bulk::terminate;
        Operate: delete "/api/workflow/bulk/remove" "Forget many runs" [""] takes Vec<String> => bulk::remove;
        Operate: post "/api/workflow/bulk/delete" "Forget many runs" [""] takes Vec<String> => bulk::remove;
        Operate: delete "/api/workflow/bulk/terminate-remove" "Terminate and forget many runs" ["reason"] takes Vec<String> => bulk::terminate_and_remove;
        Read: post "/api/workflow/bulk/search" "Show many runs" ["includeTasks=true"] takes Vec<String> => bulk::search;
    }
}

fn schema_routes() -> Vec<Route> {
    routes! { "Schemas":
        Define: post "/api/schema" "Register or replace schemas; without a version, as the first" ["newVersion=false"] takes Many<SchemaDef> => schema::register;
        Read: get "/api/schema" "All schemas" ["short=false"] => schema::all;
        Read: get "/api/schema/{name}" "A schema in its latest version" [""] => schema::latest;
        Read: get "/api/schema/{name}/{version}" "A schema" [""] => schema::get;
        Define: delete "/api/schema/{name}" "Forget all versions of a schema" [""] => schema::forget_all;
        Define: delete "/api/schema/{name}/{version}" "Forget a schema" [""] => schema::forget;
    }
}

fn tag_routes() -> Vec<Route> {
    routes! { "Tags":
        Read: get "/api/metadata/tags" "All tags" [""] => tags::all;
        Read: get "/api/metadata/workflow/{name}/tags" "The tags of a workflow definition" [""] => tags::of_workflow;
        Define: post "/api/metadata/workflow/{name}/tags" "Add tags to a workflow definition" [""] takes Many<Tag> => tags::add_to_workflow;
        Define: put "/api/metadata/workflow/{name}/tags" "Replace the tags of a workflow definition" [""] takes Many<Tag> => tags::set_of_workflow;
        Define: delete "/api/metadata/workflow/{name}/tags" "Remove tags of a workflow definition" [""] takes Many<Tag> => tags::drop_from_workflow;
        Read: get "/api/metadata/task/{taskName}/tags" "The tags of a task definition" [""] => tags::of_task;
        Define: post "/api/metadata/task/{taskName}/tags" "Add tags to a task definition" [""] takes Many<Tag> => tags::add_to_task;
        Define: put "/api/metadata/task/{taskName}/tags" "Replace the tags of a task definition" [""] takes Many<Tag> => tags::set_of_task;
        Define: delete "/api/metadata/task/{taskName}/tags" "Remove tags of a task definition" [""] takes Many<Tag> => tags::drop_from_task;
    }
}

fn event_routes() -> Vec<Route> {
    routes! { "Event handlers":
        Define: post "/api/event" "Register event handlers" [""] takes Many<EventHandler> => event::register;
        Define: put "/api/event" "Replace an event handler" [""] takes EventHandler => event::update;
        Read: get "/api/event" "All event handlers" [""] => event::all;
        Read: get "/api/event/{event}" "The event handlers of an event" ["activeOnly=true"] => event::of_event;
        Read: get "/api/event/execution" "What event handlers have done" ["start=0, size=100"] => event::executions;
        Read: get "/api/event/execution/{name}" "What an event handler has done" ["start=0, size=100"] => event::executions_of;
        Read: get "/api/event/handler/{name}" "An event handler" [""] => event::get;
        Read: get "/api/event/queue/config" "Nothing: no queues but the server's own are connected" [""] => ops::empty_map;
        Read: get "/api/event/{event}/tags" "The labels of the event handler of this name" [""] => labels::of_handler;
        Define: put "/api/event/{event}/tags" "Add labels to the event handler of this name" [""] takes Many<Tag> => labels::add_to_handler;
        Define: delete "/api/event/{event}/tags" "Remove labels of the event handler of this name" [""] takes Many<Tag> => labels::drop_from_handler;
        Define: delete "/api/event/{event}" "Forget the event handler of this name" [""] => event::forget;
    }
}

fn schedule_routes() -> Vec<Route> {
    routes! { "Schedules":
        Define: post "/api/scheduler/schedules" "Register or replace a schedule" [""] takes WorkflowSchedule => schedule::save;
        Read: get "/api/scheduler/schedules" "All schedules" ["workflowName"] => schedule::all;
        Read: get "/api/scheduler/schedules/search" "Find schedules" ["workflowName, scheduleName, paused, freeText, start=0, size=100, sort"] => schedule::search;
        Read: get "/api/scheduler/schedules/{name}" "A schedule" [""] => schedule::get;
        Define: delete "/api/scheduler/schedules/{name}" "Forget a schedule" [""] => schedule::forget;
        Operate: put "/api/scheduler/schedules/{name}/pause" "Start nothing by a schedule" ["reason"] => schedule::pause;
        Operate: get "/api/scheduler/schedules/{name}/pause" "The same, for clients that ask so" ["reason"] => schedule::pause;
        Operate: put "/api/scheduler/schedules/{name}/resume" "Let a paused schedule go on, from now" [""] => schedule::resume;
        Operate: get "/api/scheduler/schedules/{name}/resume" "The same, for clients that ask so" [""] => schedule::resume;
        Read: get "/api/scheduler/schedules/tags" "The schedules with a label: `key:value`" ["tag"] => labels::schedules_with;
        Read: get "/api/scheduler/schedules/{name}/tags" "The labels of a schedule" [""] => labels::of_schedule;
        Define: put "/api/scheduler/schedules/{name}/tags" "Add labels to a schedule" [""] takes Many<Tag> => labels::add_to_schedule;
        Define: delete "/api/scheduler/schedules/{name}/tags" "Remove labels of a schedule" [""] takes Many<Tag> => labels::drop_from_schedule;
        Operate: put "/api/scheduler/bulk/pause" "Pause many schedules" [""] takes Vec<String> => schedule::bulk_pause;
        Operate: put "/api/scheduler/bulk/resume" "Resume many schedules" [""] takes Vec<String> => schedule::bulk_resume;
        Read: get "/api/scheduler/nextFewSchedules" "The next times of an expression" ["cronExpression, zoneId=UTC, scheduleStartTime, scheduleEndTime, limit=5"] => schedule::next_few;
        Read: get "/api/scheduler/search/executions" "What schedules have started" ["start=0, size=100, freeText, query"] => schedule::executions;
        Operate: get "/api/scheduler/admin/requeue" "Nothing to do: no time gets lost" [""] => schedule::requeue;
        Operate: get "/api/scheduler/admin/pause" "Start nothing by any schedule, until resumed or restarted" [""] => schedule::hold;
        Operate: get "/api/scheduler/admin/resume" "Let schedules go on" [""] => schedule::release;
    }
}

fn metadata_routes() -> Vec<Route> {
    routes! { "Metadata":
        Define: post "/api/metadata/workflow" "Register a workflow definition" ["overwrite=false, newVersion=false"] takes WorkflowDef => metadata::register;
        Define: put "/api/metadata/workflow" "Register or replace many, each for itself" ["newVersion=false"] takes Vec<WorkflowDef> => metadata::update;
        Read: get "/api/metadata/workflow" "All workflow definitions" ["name"] => metadata::all;
        Read: post "/api/metadata/workflow/validate" "Say what is wrong with a workflow definition" [""] takes WorkflowDef => metadata::validate;
        Read: get "/api/metadata/workflow/names-and-versions" "The versions of each workflow definition" [""] => metadata::names_and_versions;
        Read: get "/api/metadata/workflow/names" "The names of all workflow definitions" [""] => metadata::names;
        Read: get "/api/metadata/workflow/latest-versions" "The latest version of each workflow definition" [""] => metadata::latest;
        Read: get "/api/metadata/workflow/{name}" "A workflow definition" ["version"] => metadata::get;
        Read: get "/api/metadata/workflow/{name}/versions" "The versions of a workflow definition" [""] => metadata::versions;
        Define: delete "/api/metadata/workflow/{name}/{version}" "Forget a workflow definition" [""] => metadata::forget;
        Define: post "/api/metadata/taskdefs" "Register or replace task definitions" [""] takes Vec<TaskDef> => metadata::register_tasks;
        Define: put "/api/metadata/taskdefs" "Replace a task definition; 404 if there is none" [""] takes TaskDef => metadata::update_task;
        Read: get "/api/metadata/taskdefs" "All task definitions" [""] => metadata::all_tasks;
        Read: get "/api/metadata/taskdefs/{tasktype}" "A task definition" [""] => metadata::get_task;
        Define: delete "/api/metadata/taskdefs/{tasktype}" "Forget a task definition" [""] => metadata::forget_task;
    }
}

fn native_routes() -> Vec<Route> {
    routes! { "Native":
        Start: post "/v1/runs" "Start many runs: {runs: [{name, input, callbacks, …}]}" [""] takes runs::Starts => runs::start_many;
        Read: get "/v1/runs" "The newest runs, in short" ["name, limit=20 (at most 1000)"] => runs::list;
        Define: post "/v1/runs/document" "Run a native document: {document, file, input, callbacks}" [""] takes documents::Document => documents::run;
        Operate: post "/v1/runs/{run}/cancel" "End a run, with a reason" ["reason"] => runs::cancel;
        Operate: post "/v1/runs/{run}/pause" "Nothing new of a run begins" [""] => runs::pause;
        Operate: post "/v1/runs/{run}/resume" "A paused run goes on" [""] => runs::resume;
        Operate: post "/v1/runs/{run}/retry" "Go on from the failures of a run" [""] => runs::retry;
        Operate: post "/v1/runs/{run}/signal/{task}" "End the wait of a task of a native document; its output is the body" [""] takes OptionalObject => runs::signal;
        Read: get "/v1/flows" "The names of the native documents that are kept" [""] => documents::all;
        Define: put "/v1/flows/{name}" "Keep a native document, or replace it" ["file"] takes String => documents::register;
        Read: get "/v1/flows/{name}" "The text of a native document" [""] => documents::get;
        Define: delete "/v1/flows/{name}" "Forget a native document" [""] => documents::forget;
        Start: post "/v1/flows/{name}/runs" "Run a native document with the body as its inputs" [""] takes OptionalObject => documents::start;
        Read: get "/v1/runs/{run}" "Show a run, in short" [""] => runs::get;
        Read: get "/v1/runs/{run}/events" "Follow a run: server-sent events" [""] => follow::events;
        Read: get "/v1/runs/{run}/graph" "A run as a picture, with what has become of each task" ["format=json (svg, html)"] => story::graph;
        Read: get "/v1/runs/{run}/report" "Why a run took as long as it did, and what would help" ["format=json (html, text)"] => story::report;
        Read: get "/v1/runs/{run}/logs" "What the tasks of a run have written, in pages" ["task, after, limit=200 (at most 1000)"] => logs::page;
        Read: get "/v1/callbacks" "What is to be told to others, or could not be told" ["state=waiting (dead), start=0, size=100 (at most 1000)"] => callbacks::all;
        Read: get "/v1/callbacks/{id}" "One of them, with what is told" [""] => callbacks::get;
        Operate: post "/v1/callbacks/{id}/retry" "Try anew what could not be told" [""] => callbacks::retry;
        Operate: delete "/v1/callbacks/{id}" "Forget what could not be told" [""] => callbacks::remove;
        Read: get "/v1/locks" "Who holds what, who waits, and for whom" [""] => locks::all;
        Read: get "/v1/breakers" "How the breakers are" [""] => system::breakers;
        Operate: post "/v1/breakers/{name}/reset" "Close a breaker by hand" [""] => system::reset;
        Read: get "/v1/cache" "The results that serve again" [""] => system::cache;
        Operate: delete "/v1/cache" "Forget the results that serve again" [""] => system::clear;
        Read: get "/v1/system" "How everything is, in one answer" [""] => system::state;
        Operate: post "/v1/bulk" "Do the same to all runs that a query finds: {action, query, dryRun}" [""] takes native_bulk::Wanted => native_bulk::begin;
        Read: get "/v1/bulk" "What is done to many runs, the newest first" [""] => native_bulk::all;
        Read: get "/v1/bulk/{job}" "How far it is" [""] => native_bulk::get;
        Operate: delete "/v1/bulk/{job}" "Stop it; what it has done stays" [""] => native_bulk::cancel;
        Work: post "/v1/locks" "Take a lock: all of its claims or none" [""] takes locks::Wanted => locks::acquire;
        Work: put "/v1/locks/{lock}" "Say that the holder of a lock lives" [""] => locks::renew;
        Work: delete "/v1/locks/{lock}" "Give a lock back" [""] => locks::release;
        Work: post "/v1/exchange" "Bring many results and take many tasks: {worker, done: [{run, task, status, output}], type, take, wait}" [""] takes exchange::Exchange => exchange::exchange;
    }
}

fn ops_routes() -> Vec<Route> {
    routes! { "Operations":
        Open: get "/health" "How the server is" [""] => ops::health;
        Open: get "/api/health" "How the server is" [""] => ops::health;
        Open: get "/readiness" "Whether requests are welcome" [""] => ops::readiness;
        Open: get "/liveness" "Whether the process should be left alone" [""] => ops::liveness;
        Read: get "/metrics" "What the server counts, for Prometheus" [""] => scrape::metrics;
        Open: get "/api/version" "The version of the server" [""] => ops::version;
        Administer: get "/api/admin/config" "The settings" [""] => ops::config;
        Open: post "/api/token" "Exchange a key for a token; 404 if this server is open" [""] takes keys::Credentials => keys::token;
        Read: get "/api/token/userInfo" "Whose credential this is" [""] => keys::who;
        Administer: get "/v1/keys" "All keys, without their secrets" [""] => keys::all;
        Administer: post "/v1/keys" "Make a key; its secret is told once" [""] takes keys::Wanted => keys::create;
        Administer: post "/v1/keys/{id}/rotate" "Give a key another secret; the old one holds a while" ["overlap=0s"] => keys::rotate;
        Administer: delete "/v1/keys/{id}" "Revoke a key, at once" [""] => keys::revoke;
        Read: get "/api/environment/{key}" "Nothing: the environment is not shown" [""] => ops::no_variable;
        Operate: post "/api/admin/sweep/requeue/{workflowId}" "Nothing to do: no run is left behind" [""] => ops::swept;
        Operate: post "/api/admin/consistency/verifyAndRepair/{workflowId}" "Nothing to do: rows are never apart" [""] => ops::in_order;
        Read: get "/api/agent/list" "Nothing: there are no agents" [""] => ops::empty_list;
        Read: get "/api/secrets" "Nothing: the server keeps no secrets" [""] => ops::empty_list;
        Read: get "/api/admin/queues" "Nothing: there are no queues for events" ["verbose=false"] => ops::empty_map;
        Read: get "/api/admin/task/{tasktype}" "The tasks of a type that have not ended" ["count=100"] => search::pending;
        Read: get "/api/environment" "Nothing: the environment is not shown" [""] => ops::empty_list;
        Open: get "/api-docs" "This, as an OpenAPI document" [""] => openapi::document;
        Open: get "/docs" "This, as a page" [""] => openapi::page;
    }
}

/// A path without the names of what varies: `/workflow/{name}` and `/workflow/{workflowId}` are the same to a router.
fn shape(path: &str) -> String {
    let parts = path.split('/').enumerate();
    let parts =
        parts.map(|(at, part)| if part.starts_with('{') { format!("{{p{at}}}") } else { part.to_owned() });
    parts.collect::<Vec<_>>().join("/")
}

/// Whether the server is well and what it counts may be asked as often as anybody likes: it costs nothing.
const EXEMPT: [&str; 5] = ["/health", "/api/health", "/readiness", "/liveness", "/metrics"];

/// What is answered for as long as somebody listens.
const STREAMS: [&str; 1] = ["/v1/runs/{run}/events"];

/// How requests to a route are limited.
fn budget(path: &'static str) -> Budget {
    if EXEMPT.contains(&path) {
        Budget::Exempt
    } else if STREAMS.contains(&path) {
        Budget::Stream
    } else if path == "/api/token" {
        Budget::Exchange
    } else {
        Budget::Asker
    }
}

/// Methods and paths in the order of the table; behind them, what leads nowhere.
pub(crate) fn outline() -> Vec<(Method, &'static str)> {
    let routes = table().into_iter().map(|route| (route.method, route.path));
    routes.chain([(Method::GET, "_nowhere")]).collect()
}

/// The router of all routes.
pub(crate) fn router(app: Arc<App>) -> Router {
    let mut shapes: BTreeMap<String, MethodRouter<Arc<App>>> = BTreeMap::new();
    let routes = table();
    let gate = |route, right, budget| Gate { app: app.clone(), route, right, budget };
    let nowhere = gate(routes.len(), Right::Open, Budget::Asker);
    for (at, route) in routes.into_iter().enumerate() {
        let known = shapes.remove(&shape(route.path)).unwrap_or_default();
        let gate = from_fn_with_state(gate(at, route.right, budget(route.path)), gate::pass);
        shapes.insert(shape(route.path), known.merge(route.handler.route_layer(gate)));
    }
    let router =
        shapes.into_iter().fold(Router::new(), |router, (path, handler)| router.route(&path, handler));
    let wrong_method = nowhere.clone();
    router
        .fallback(move |request: Request| {
            gate::nowhere(nowhere, Error::not_found("there is no such route"), request)
        })
        .method_not_allowed_fallback(move |request: Request| {
            let message = "this route does not take this method";
            gate::nowhere(wrong_method, Error::new(StatusCode::METHOD_NOT_ALLOWED, message), request)
        })
        .with_state(app)
}

/// What Prometheus finds at a port of its own.
pub(crate) fn for_metrics(app: Arc<App>) -> Router {
    Router::new().route("/metrics", get(scrape::metrics)).with_state(app)
}
