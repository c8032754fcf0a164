//! Conductor's protocol under `/api`, a file for each group of routes.

pub(crate) mod bulk;
pub(crate) mod event;
pub(crate) mod execute;
pub(crate) mod labels;
pub(crate) mod metadata;
pub(crate) mod ops;
pub(crate) mod queue;
pub(crate) mod schedule;
pub(crate) mod schema;
pub(crate) mod search;
pub(crate) mod size;
pub(crate) mod sound;
pub(crate) mod storage;
pub(crate) mod tags;
pub(crate) mod tasks;
pub(crate) mod testing;
pub(crate) mod view;
pub(crate) mod workflow;

use std::sync::Arc;

use crate::app::App;

/// What every handler gets.
pub(crate) type Shared = axum::extract::State<Arc<App>>;
