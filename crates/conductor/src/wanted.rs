//! Which run a task or a failed run wants: what the descriptions in definitions mean once their values are filled in.

use partitur_model::Payload;
use partitur_model::callback::Callback;
use partitur_model::record::{Idempotency, ServerOptions, TaskError};

use crate::json;
use crate::wire::{self, IdempotencyStrategy, StartWorkflowRequest, WorkflowDef};

/// A run that is to be started.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// Of which workflow.
    pub name: String,
    /// In which version; the latest if `None`.
    pub version: Option<u32>,
    /// The definition itself, instead of a registered one.
    pub definition: Option<Box<WorkflowDef>>,
    /// What it is given.
    pub input: Payload,
    /// What its submitter calls it; as the run that starts it is called if `None`.
    pub correlation: Option<String>,
    /// Which domain's workers get tasks of which name; as in the run that starts it if `None`.
    pub domains: Option<Vec<(String, String)>>,
    /// 0..=99.
    pub priority: u8,
    /// At most one run of this name and key.
    pub idempotency: Option<(String, Idempotency)>,
    /// Who is told what becomes of it.
    pub callbacks: Vec<Callback>,
}

/// What a SUB_WORKFLOW with this input runs.
///
/// # Errors
/// The input names no workflow.
pub fn wanted_by_sub_workflow(input: &Payload) -> Result<Wanted, TaskError> {
    let value = |key: &str| input.member(key).filter(|value| !value.is_null());
    let definition =
        value("subWorkflowDefinition").map(|definition| inline_definition(&definition)).transpose()?;
    let own_input = value("workflowInput").filter(|own| !json::is_empty(own));
    let child_input = own_input.unwrap_or_else(|| input.clone());
    let child_input = if definition.is_some() { marked_as_dynamic(&child_input) } else { child_input };
    let name = value("subWorkflowName").map(|name| json::plain(&name)).unwrap_or_default();
    let name = definition.as_ref().map_or(name, |definition| definition.name.clone());
    if name.is_empty() {
        return Err(refused("subWorkflowParam names no workflow"));
    }
    Ok(Wanted {
        name,
        version: value("subWorkflowVersion").and_then(|version| version_of(&version)),
        definition,
        input: child_input,
        correlation: None,
        domains: value("subWorkflowTaskToDomain").as_ref().and_then(domains),
        priority: value("priority").and_then(|priority| json::whole(&priority)).map_or(0, priority),
        idempotency: idempotency(value("idempotencyKey"), value("idempotencyStrategy")),
        callbacks: Vec::new(),
    })
}

/// What a START_WORKFLOW with this input starts.
///
/// # Errors
/// The input is no request to start a workflow.
pub fn wanted_by_start(input: &Payload) -> Result<Wanted, TaskError> {
    let request = input.member("startWorkflow").filter(json::is_object);
    let request = request.ok_or_else(|| refused("`startWorkflow` is missing or no object"))?;
    let request: StartWorkflowRequest =
        wire::read(request.render().as_bytes()).map_err(|error| refused(error.to_string()))?;
    if request.name.is_empty() && request.workflow_def.is_none() {
        return Err(refused("`startWorkflow.name` is missing"));
    }
    Ok(Wanted::from(request))
}

/// What is started after a run with this description has failed. Its input is that of the failed run and what is to be
/// said about the failure; its caller adds it.
///
/// # Errors
/// The description names no workflow.
pub fn wanted_by_failure(description: &Payload) -> Result<Wanted, TaskError> {
    let name = description.member("name").and_then(|name| json::text(&name)).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| refused("failureWorkflow names no workflow"))?;
    let version = description.member("version").and_then(|version| version_of(&version));
    Ok(Wanted { name, version, ..Wanted::default() })
}

impl Wanted {
    /// What is chosen for the run, in this version: what it does not say is as for the run that wants it.
    pub fn options(&self, version: u32, own: Option<&ServerOptions>) -> ServerOptions {
        ServerOptions {
            version,
            correlation: self.correlation.clone().or_else(|| own?.correlation.clone()),
            priority: self.priority,
            domains: self.domains.clone().or_else(|| Some(own?.domains.clone())).unwrap_or_default(),
            idempotency: self.idempotency.clone(),
            creator: own.map(|own| own.creator.clone()).unwrap_or_default(),
            event: own.and_then(|own| own.event.clone()),
        }
    }
}

impl From<StartWorkflowRequest> for Wanted {
    fn from(request: StartWorkflowRequest) -> Wanted {
        let key = request.idempotency_key.filter(|key| !key.is_empty());
        let strategy = request.idempotency_strategy.unwrap_or_default();
        let name =
            request.workflow_def.as_ref().map(|def| def.name.clone()).filter(|_| request.name.is_empty());
        Wanted {
            name: name.unwrap_or(request.name),
            version: request.version.filter(|&version| version > 0),
            definition: request.workflow_def,
            input: request.input.0,
            correlation: request.correlation_id,
            domains: Some(request.task_to_domain.0).filter(|domains| !domains.is_empty()),
            priority: priority(request.priority),
            idempotency: key.map(|key| (key, strategy.into())),
            // What is wrong with others was told when the request came.
            callbacks: request.callbacks.iter().filter_map(|callback| callback.read().ok()).collect(),
        }
    }
}

impl From<IdempotencyStrategy> for Idempotency {
    fn from(strategy: IdempotencyStrategy) -> Idempotency {
        match strategy {
            IdempotencyStrategy::Fail => Idempotency::Fail,
            IdempotencyStrategy::ReturnExisting => Idempotency::ReturnExisting,
            IdempotencyStrategy::FailOnRunning => Idempotency::FailOnRunning,
        }
    }
}

fn refused(message: impl Into<String>) -> TaskError {
    TaskError::terminal("definition", message)
}

fn inline_definition(definition: &Payload) -> Result<Box<WorkflowDef>, TaskError> {
    // An expression may have yielded the definition as text.
    let text = json::plain(definition);
    wire::read(text.as_bytes())
        .map(Box::new)
        .map_err(|error| refused(format!("the inline definition: {error}")))
}

/// Conductor tells a run of an inline definition so.
fn marked_as_dynamic(input: &Payload) -> Payload {
    let metadata = input.member("_systemMetadata").filter(json::is_object).unwrap_or_else(json::empty_object);
    json::with(input, [("_systemMetadata", json::with(&metadata, [("dynamic", true.into())]))])
}

fn version_of(version: &Payload) -> Option<u32> {
    json::whole(version).and_then(|version| u32::try_from(version).ok()).filter(|&version| version > 0)
}

fn priority(number: i64) -> u8 {
    number.clamp(0, 99) as u8
}

fn domains(payload: &Payload) -> Option<Vec<(String, String)>> {
    let entries = payload.entries()?;
    let texts = entries.into_iter().map(|(key, value)| Some((key.to_string(), json::text(&value)?)));
    texts.collect::<Option<Vec<_>>>().filter(|domains| !domains.is_empty())
}

fn idempotency(key: Option<Payload>, strategy: Option<Payload>) -> Option<(String, Idempotency)> {
    let key = json::plain(&key?);
    let strategy = match strategy.map(|strategy| json::plain(&strategy)).as_deref() {
        Some("RETURN_EXISTING") => Idempotency::ReturnExisting,
        Some("FAIL_ON_RUNNING") => Idempotency::FailOnRunning,
        Some(_) | None => Idempotency::Fail,
    };
    (!key.is_empty()).then_some((key, strategy))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(text: &str) -> Payload {
        Payload::parse(text).unwrap()
    }

    #[test]
    fn a_sub_workflow_gets_its_own_input_or_the_whole() {
        let own = payload(
            r#"{"subWorkflowName":"child","subWorkflowVersion":"2","workflowInput":{"a":1},"priority":"7"}"#,
        );
        let wanted = wanted_by_sub_workflow(&own).unwrap();
        assert_eq!((wanted.name.as_str(), wanted.version, wanted.priority), ("child", Some(2), 7));
        assert_eq!(wanted.input.render(), r#"{"a":1}"#);
        let whole = payload(r#"{"subWorkflowName":"child","subWorkflowVersion":0,"workflowInput":{}}"#);
        let wanted = wanted_by_sub_workflow(&whole).unwrap();
        assert_eq!((wanted.version, wanted.input), (None, whole));
    }

    #[test]
    fn an_inline_definition_comes_as_object_or_text_and_is_marked() {
        for definition in [r#"{"name":"inner","tasks":[]}"#, r#""{\"name\":\"inner\",\"tasks\":[]}""#] {
            let input = format!(
                r#"{{"subWorkflowName":"x","subWorkflowDefinition":{definition},"workflowInput":{{"a":1}}}}"#
            );
            let wanted = wanted_by_sub_workflow(&payload(&input)).unwrap();
            assert_eq!(wanted.name, "inner");
            assert_eq!(wanted.input.render(), r#"{"a":1,"_systemMetadata":{"dynamic":true}}"#);
        }
    }

    #[test]
    fn what_names_no_workflow_is_refused() {
        assert!(wanted_by_sub_workflow(&payload(r#"{"subWorkflowName":null}"#)).is_err());
        assert!(wanted_by_start(&payload(r#"{"startWorkflow":"x"}"#)).is_err());
        assert!(wanted_by_start(&payload(r#"{"startWorkflow":{"version":1}}"#)).is_err());
        assert!(wanted_by_failure(&payload(r#"{"name":null}"#)).is_err());
    }

    #[test]
    fn a_start_carries_what_was_asked_for() {
        let input = payload(
            r#"{"startWorkflow":{"name":"w","correlationId":"c","input":{"a":1},"taskToDomain":{"*":"d"},
                "idempotencyKey":"k","idempotencyStrategy":"RETURN_EXISTING"}}"#,
        );
        let wanted = wanted_by_start(&input).unwrap();
        assert_eq!(wanted.domains, Some(vec![("*".to_owned(), "d".to_owned())]));
        assert_eq!(wanted.idempotency, Some(("k".to_owned(), Idempotency::ReturnExisting)));
        assert_eq!(wanted.correlation.as_deref(), Some("c"));
    }
}
