//! The types of tasks that definitions name.

/// A type of task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskType {
    /// Work for a worker; its queue is the task's name.
    Simple,
    /// Work for a worker; its queue is this name, that of the type.
    Custom(String),
    /// An HTTP call.
    Http,
    /// HTTP calls until a condition holds.
    HttpPoll,
    /// A script.
    Inline,
    /// A script that is the body of a function.
    Lambda,
    /// A jq program.
    JsonJqTransform,
    /// Chooses what is done by the value of an expression.
    Switch,
    /// As `Switch`, in an older form.
    Decision,
    /// Branches at once.
    ForkJoin,
    /// Branches at once that a value describes.
    ForkJoinDynamic,
    /// Waits for tasks.
    Join,
    /// Waits for the first of some tasks.
    ExclusiveJoin,
    /// Its body again and again.
    DoWhile,
    /// A task whose name is a value.
    Dynamic,
    /// Another workflow as a task.
    SubWorkflow,
    /// Starts another workflow.
    StartWorkflow,
    /// Ends the run.
    Terminate,
    /// Writes the run's variables.
    SetVariable,
    /// Waits for time or a signal.
    Wait,
    /// Waits for a person.
    Human,
    /// Waits for a signal.
    Yield,
    /// Tells others that something has happened.
    Event,
    /// Waits for messages to its run.
    PullMessages,
    /// Nothing.
    Noop,
    /// A type that Conductor or a vendor has, and this server has not.
    Absent(&'static str),
}

/// What is not built in, with the reason that its author is told.
const ABSENT: &[(&str, &str)] = &[
    ("KAFKA_PUBLISH", "message queues are not connected"),
    ("JDBC", "databases are not connected; let a worker do it"),
    ("WAIT_FOR_WEBHOOK", "webhooks are not received; use WAIT and a signal"),
    ("GET_SIGNED_JWT", "let a worker do it"),
    ("UPDATE_SECRET", "secrets are not written by runs"),
    ("UPDATE_TASK", "use POST /api/tasks from a worker or an HTTP task"),
    ("GET_WORKFLOW", "use GET /api/workflow/{id} from a worker or an HTTP task"),
    ("QUERY_PROCESSOR", "let a worker do it"),
    ("OPS_GENIE", "use an HTTP task"),
    ("BUSINESS_RULE", "use SWITCH or INLINE"),
    ("GRPC", "let a worker do it"),
    ("MCP_REMOTE", MODELS),
    ("GET_DOCUMENT", MODELS),
    ("CHUNK_TEXT", MODELS),
    ("LIST_FILES", MODELS),
    ("PARSE_DOCUMENT", MODELS),
    ("LLM_INDEX_DOCUMENT", MODELS),
    ("LLM_INDEX_TEXT", MODELS),
    ("LLM_TEXT_COMPLETE", MODELS),
    ("LLM_CHAT_COMPLETE", MODELS),
    ("LLM_GENERATE_EMBEDDINGS", MODELS),
    ("LLM_STORE_EMBEDDINGS", MODELS),
    ("LLM_GET_EMBEDDINGS", MODELS),
    ("LLM_SEARCH_EMBEDDINGS", MODELS),
    ("LLM_SEARCH_INDEX", MODELS),
    ("GENERATE_IMAGE", MODELS),
    ("GENERATE_AUDIO", MODELS),
    ("GENERATE_VIDEO", MODELS),
    ("GENERATE_PDF", MODELS),
    ("LIST_MCP_TOOLS", MODELS),
    ("CALL_MCP_TOOL", MODELS),
    ("AGENT", MODELS),
    ("GET_AGENT_CARD", MODELS),
    ("CANCEL_AGENT", MODELS),
];

const MODELS: &str = "models and their tools are not connected; let a worker do it";

impl TaskType {
    /// The type of this name; a worker's if nobody else has it.
    pub fn parse(name: &str) -> TaskType {
        match name {
            "SIMPLE" | "" => TaskType::Simple,
            "HTTP" => TaskType::Http,
            "HTTP_POLL" => TaskType::HttpPoll,
            "INLINE" => TaskType::Inline,
            "LAMBDA" => TaskType::Lambda,
            "JSON_JQ_TRANSFORM" => TaskType::JsonJqTransform,
            "SWITCH" => TaskType::Switch,
            "DECISION" => TaskType::Decision,
            "FORK_JOIN" => TaskType::ForkJoin,
            "FORK_JOIN_DYNAMIC" => TaskType::ForkJoinDynamic,
            "JOIN" => TaskType::Join,
            "EXCLUSIVE_JOIN" => TaskType::ExclusiveJoin,
            "DO_WHILE" => TaskType::DoWhile,
            "DYNAMIC" => TaskType::Dynamic,
            "SUB_WORKFLOW" => TaskType::SubWorkflow,
            "START_WORKFLOW" => TaskType::StartWorkflow,
            "TERMINATE" => TaskType::Terminate,
            "SET_VARIABLE" => TaskType::SetVariable,
            "WAIT" => TaskType::Wait,
            "HUMAN" => TaskType::Human,
            "YIELD" => TaskType::Yield,
            "EVENT" => TaskType::Event,
            "PULL_WORKFLOW_MESSAGES" => TaskType::PullMessages,
            "NOOP" => TaskType::Noop,
            other => match ABSENT.iter().find(|(absent, _)| *absent == other) {
                Some((_, reason)) => TaskType::Absent(reason),
                None => TaskType::Custom(other.to_owned()),
            },
        }
    }

    /// Whether workers do it.
    pub fn is_for_workers(&self) -> bool {
        matches!(self, TaskType::Simple | TaskType::Custom(_))
    }

    /// Whether a name is that of a type which is no worker's.
    pub fn is_built_in(name: &str) -> bool {
        !name.is_empty() && !TaskType::parse(name).is_for_workers()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nobody_has_is_a_workers() {
        assert_eq!(TaskType::parse("FOO_BAR"), TaskType::Custom("FOO_BAR".to_owned()));
        assert_eq!(TaskType::parse(""), TaskType::Simple);
        assert!(matches!(TaskType::parse("KAFKA_PUBLISH"), TaskType::Absent(_)));
        assert!(TaskType::is_built_in("HTTP") && !TaskType::is_built_in("encode_video"));
    }
}
