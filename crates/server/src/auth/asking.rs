//! Who asks, for whoever answers: a route's right is not always the whole story.

use std::sync::Arc;

use axum::http::StatusCode;

use super::key::Key;
use super::right::Right;
use crate::http::answer::Error;

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Asking {
    /// On an open server, anybody.
    Anybody,
    /// Somebody without a key, of what is open to all.
    Nobody,
    /// Whoever has this key.
    Key(Arc<Key>),
}

tokio::task_local! {
    static ASKING: Asking;
}

/// Answers a request in somebody's name.
pub(crate) async fn in_the_name_of<T>(asking: Asking, answer: impl Future<Output = T>) -> T {
    ASKING.scope(asking, answer).await
}

/// Who asks for what is being answered. Without a request, it is the server itself.
pub(crate) fn asking() -> Asking {
    ASKING.try_with(Asking::clone).unwrap_or(Asking::Anybody)
}

impl Asking {
    /// Whether they may.
    pub fn may(&self, right: Right) -> bool {
        match self {
            Asking::Anybody => true,
            Asking::Nobody => right == Right::Open,
            Asking::Key(key) => key.roles.allow(right),
        }
    }

    /// Refuses those who may not.
    ///
    /// # Errors
    /// 403.
    pub fn demand(&self, right: Right, what: &str) -> Result<(), Error> {
        if self.may(right) {
            return Ok(());
        }
        let message = format!("{what} needs the right to {}, which this key does not have", right.name());
        Err(Error::new(StatusCode::FORBIDDEN, message))
    }

    /// The name of the key, for what is noted about who did something.
    pub fn name(&self) -> Option<&str> {
        match self {
            Asking::Anybody | Asking::Nobody => None,
            Asking::Key(key) => Some(&key.name),
        }
    }

    /// Whether the key still holds, after somebody has waited.
    pub fn still_holds(&self, now_ms: u64) -> bool {
        match self {
            Asking::Anybody | Asking::Nobody => true,
            Asking::Key(key) => key.is_live(now_ms) && !key.is_replaced(),
        }
    }
}
