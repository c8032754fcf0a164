//! How large a run is: what its summary shows in Conductor's UI.

use axum::extract::{Path, State};
use serde_json::json;

use super::{Shared, view};
use crate::http::answer::{self, Answer};
use crate::http::input::{no_run, run_id};

/// In bytes, as clients see it. No run is too large to be shown: the limit is 0, which means that there is none.
pub(crate) async fn of_run(State(app): Shared, Path(id): Path<String>) -> Answer {
    let run = run_id(&id)?;
    let measured = view::with_run(&app, run, |view| {
        let mut out = String::new();
        view.write_workflow(true, &mut out);
        out.len()
    });
    let bytes = measured.await?.ok_or_else(|| no_run(&id))?;
    Ok(answer::json(&json!({"sizeBytes": bytes, "limitBytes": 0, "ratio": 0.0})))
}
