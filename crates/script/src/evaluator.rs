//! Scripts of definitions that the engine does not evaluate itself, for whoever hosts runs: errors are those of tasks.

use std::sync::{Arc, OnceLock};

use partitur_model::Payload;
use partitur_model::record::TaskError;

use crate::{Language, Pool, Request, ScriptError, Settings, TIMEOUT_CONDUCTOR};

/// Evaluates scripts of runs. Clones share one pool, which begins with the first script: who needs none pays for none.
#[derive(Clone, Default)]
pub struct Evaluator {
    pool: Arc<OnceLock<Result<Pool, String>>>,
}

impl Evaluator {
    /// Evaluates a script of a run, by the run's number; the result is told once. Runs take turns. Of a schema nothing
    /// comes if the value fits, and an error with everything that does not.
    pub fn evaluate(
        &self,
        run: u64,
        language: &str,
        source: impl Into<Arc<str>>,
        input: Payload,
        tell: impl FnOnce(Result<Payload, TaskError>) + Send + 'static,
    ) {
        let language = match language.parse::<Language>() {
            Ok(language) => language,
            Err(unknown) => return tell(Err(TaskError::terminal("language", unknown.to_string()))),
        };
        let request = Request::value(run, language, source, input, TIMEOUT_CONDUCTOR);
        let told = move |result: Result<Payload, ScriptError>| match (result, language) {
            (Ok(verdict), Language::Schema) => tell(fits(&verdict).map(|()| Payload::Null)),
            (result, _) => tell(result.map_err(TaskError::from)),
        };
        match self.pool() {
            Ok(pool) => pool.submit(request, told),
            Err(reason) => told(Err(ScriptError::Unavailable { reason })),
        }
    }

    /// Says whether a source can be read: what is wrong with it is told once. What cannot be found out now is found out
    /// when it is evaluated.
    pub fn check(
        &self,
        language: Language,
        source: impl Into<Arc<str>>,
        tell: impl FnOnce(Option<String>) + Send + 'static,
    ) {
        let told = move |result: Result<Payload, ScriptError>| match result {
            Err(error @ ScriptError::Syntax { .. }) => tell(Some(error.to_string())),
            Ok(_)
            | Err(
                ScriptError::Runtime { .. }
                | ScriptError::Timeout { .. }
                | ScriptError::Memory { .. }
                | ScriptError::TooLarge { .. }
                | ScriptError::Busy { .. }
                | ScriptError::Unavailable { .. },
            ) => tell(None),
        };
        match self.pool() {
            Ok(pool) => pool.submit(Request::syntax(0, language, source, TIMEOUT_CONDUCTOR), told),
            Err(reason) => told(Err(ScriptError::Unavailable { reason })),
        }
    }

    fn pool(&self) -> Result<&Pool, String> {
        let pool = || Pool::new(Settings::default()).map_err(|error| error.to_string());
        self.pool.get_or_init(pool).as_ref().map_err(String::clone)
    }
}

/// So many faults of a value are told.
const FAULTS_TOLD: usize = 10;

/// Whether a value fits its schema; if not, where and why.
fn fits(verdict: &Payload) -> Result<(), TaskError> {
    let errors = verdict.member("errors").and_then(|errors| errors.elements()).unwrap_or_default();
    if errors.is_empty() && verdict.member("valid") == Some(true.into()) {
        return Ok(());
    }
    let text = |error: &Payload, key: &str| {
        let value = error.member(key).map(|value| value.to_value());
        value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
    };
    let line = |error: &Payload| match (text(error, "path"), text(error, "message")) {
        (path, message) if path.is_empty() => message,
        (path, message) => format!("{path}: {message}"),
    };
    let mut lines: Vec<String> = errors.iter().take(FAULTS_TOLD).map(line).collect();
    if let Some(more) = errors.len().checked_sub(FAULTS_TOLD).filter(|&more| more > 0) {
        lines.push(format!("and {more} more"));
    }
    Err(TaskError::terminal("schema", lines.join("; ")))
}

impl From<ScriptError> for TaskError {
    fn from(error: ScriptError) -> TaskError {
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
            ScriptError::Busy { .. } | ScriptError::Unavailable { .. } => {
                TaskError::new(code, error.to_string())
            }
            ScriptError::Syntax { .. }
            | ScriptError::Runtime { .. }
            | ScriptError::Timeout { .. }
            | ScriptError::Memory { .. }
            | ScriptError::TooLarge { .. } => TaskError::terminal(code, error.to_string()),
        }
    }
}
