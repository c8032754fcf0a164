//! What every request passes, on its way to the route that answers it, and its answer on the way back.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::answer::Error;
use crate::app::App;

/// The gate of one route.
#[derive(Clone)]
pub(crate) struct Gate {
    pub app: Arc<App>,
    /// The route's place in the table.
    pub route: usize,
}

/// A request to a route.
pub(crate) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let response = next.run(request).await;
    gate.app.metrics.answered(gate.route, response.status(), begun.elapsed());
    response
}

/// A request to nothing.
pub(crate) async fn nowhere(gate: Gate, error: Error) -> Response {
    let begun = Instant::now();
    let response = error.into_response();
    gate.app.metrics.answered(gate.route, response.status(), begun.elapsed());
    response
}
