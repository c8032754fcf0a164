//! Scripts of definitions that the engine does not evaluate itself: in helpers that can be killed.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use partitur_model::record::TaskError;
use partitur_model::{Payload, RunId};
use partitur_script::{Language, Pool, Request, ScriptError, Settings};

/// Conductor's limit.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Evaluates scripts.
#[derive(Clone)]
pub struct Evaluator {
    pool: Arc<Pool>,
}

impl Evaluator {
    /// Helpers are started when there is something to do.
    ///
    /// # Errors
    /// The system gives no thread or no descriptor.
    pub fn new() -> io::Result<Evaluator> {
        Ok(Evaluator { pool: Arc::new(Pool::new(Settings::default())?) })
    }

    /// Evaluates a script of a run; the result is told once. Runs take turns.
    pub fn evaluate(
        &self,
        run: RunId,
        language: &str,
        source: String,
        input: Payload,
        tell: impl FnOnce(Result<Payload, TaskError>) + Send + 'static,
    ) {
        match language.parse::<Language>() {
            Ok(language) => {
                let request = Request::value(run.number(), language, source, input, TIMEOUT);
                self.pool.submit(request, move |result| tell(result.map_err(told)));
            }
            Err(unknown) => tell(Err(TaskError::terminal("language", unknown.to_string()))),
        }
    }
}

fn told(error: ScriptError) -> TaskError {
    let code = match error {
        ScriptError::Syntax { .. } => "script-syntax",
        ScriptError::Runtime { .. } => "script",
        ScriptError::Timeout { .. } => "script-timeout",
        ScriptError::Memory { .. } => "script-memory",
        ScriptError::TooLarge { .. } => "script-too-large",
        ScriptError::Busy { .. } => "script-busy",
        ScriptError::Unavailable { .. } => "script-unavailable",
    };
    match error {
        ScriptError::Busy { .. } | ScriptError::Unavailable { .. } => TaskError::new(code, error.to_string()),
        ScriptError::Syntax { .. }
        | ScriptError::Runtime { .. }
        | ScriptError::Timeout { .. }
        | ScriptError::Memory { .. }
        | ScriptError::TooLarge { .. } => TaskError::terminal(code, error.to_string()),
    }
}
