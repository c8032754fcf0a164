//! `partitur workflow start`.

use std::path::PathBuf;

use partitur_model::Payload;

use super::watch::{How, follow};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::remote::definitions::{Kind, read};
use crate::remote::given::Input;
use crate::remote::{Desk, Problem, Route, Verb};
use crate::settings::Global;

/// Start a run
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur workflow start month-end -i month=2026-10 -i companies='[\"de\",\"at\"]'
  echo '{\"month\": \"2026-10\"}' | partitur workflow start month-end --input-file - --wait
  partitur workflow start --definition trial.json --watch
  id=$(partitur workflow start month-end)

Prints the id of the run; with --wait or --watch its output instead, and the exit code says how it ended: 0 completed, 1 \
failed or timed out, 4 terminated.")]
pub struct Start {
    /// Of which workflow
    #[arg(required_unless_present = "definition")]
    name: Option<String>,
    /// In which version [default: the latest]
    #[arg(long, value_name = "N")]
    version: Option<u32>,
    #[command(flatten)]
    input: Input,
    /// What you call it
    #[arg(long, value_name = "ID")]
    correlation_id: Option<String>,
    /// Its tasks go before those of runs with less
    #[arg(long, value_name = "0..99", value_parser = clap::value_parser!(u8).range(0..=99))]
    priority: Option<u8>,
    /// Tasks of this name are for the workers of this domain; `*` is every name
    #[arg(long = "domain", value_name = "TASK=DOMAIN")]
    domains: Vec<String>,
    /// At most one run of this name and key
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// What a second run under the key means
    #[arg(long, value_name = "RULE", requires = "idempotency_key")]
    if_there_is_one: Option<Second>,
    /// Run the definition of this file, which nobody needs to have registered
    #[arg(long, value_name = "FILE", conflicts_with = "version")]
    definition: Option<PathBuf>,
    /// Wait for the end and print the output
    #[arg(long)]
    wait: bool,
    /// Show how it goes, then as --wait
    #[arg(long, conflicts_with = "wait")]
    watch: bool,
}

/// What a second run under a key means.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Second {
    /// It is refused
    Fail,
    /// It is the run that is there
    Return,
    /// It is refused while that run has not ended
    FailWhileRunning,
}

impl Second {
    fn word(self) -> &'static str {
        match self {
            Second::Fail => "FAIL",
            Second::Return => "RETURN_EXISTING",
            Second::FailWhileRunning => "FAIL_ON_RUNNING",
        }
    }
}

impl Start {
    pub fn run(self, desk: &Desk, global: &Global) -> Result<Exit, Failure> {
        let request = self.request(global)?;
        let name = self.name.clone().unwrap_or_default();
        let answer = desk.client.send(Verb::Post, &Route::new("workflow"), Some(request));
        let answer = answer.map_err(|problem| unknown_name(desk, problem, &name))?;
        let id = id_of(&answer);
        if self.wait || self.watch {
            if !desk.json {
                desk.say(&format!("run {id}"));
            }
            return follow(desk, global, &id, How { quiet: self.wait, depth: 1 });
        }
        let shown =
            if desk.json { Payload::object([("workflowId", Payload::string(&id))]).render() } else { id };
        Ok(desk.raw(&shown))
    }

    fn request(&self, global: &Global) -> Result<String, Failure> {
        let mut parts = vec![("input", self.input.object()?.unwrap_or_else(|| Payload::object::<&str>([])))];
        let mut name = self.name.clone();
        if let Some(file) = &self.definition {
            let mut found = read(std::slice::from_ref(file), Kind::Workflow, true, global.color)?;
            found.retain(|definition| definition.kind == Kind::Workflow);
            let [definition] = &found[..] else {
                let message = format!("{} holds {} workflows", file.display(), found.len());
                return Err(Failure::usage(message, "a run has one: name a file with one definition"));
            };
            name = name.or_else(|| Some(definition.name().to_owned()));
            let text = Payload::parse(&definition.text).expect("it was read from JSON");
            parts.push(("workflowDef", text));
        }
        let text = |text: &String| Payload::string(text);
        let more = [
            ("name", name.as_ref().map(text)),
            ("version", self.version.map(|version| Payload::from(u64::from(version)))),
            ("correlationId", self.correlation_id.as_ref().map(text)),
            ("priority", self.priority.map(|priority| Payload::from(u64::from(priority)))),
            ("taskToDomain", self.task_to_domain()?),
            ("idempotencyKey", self.idempotency_key.as_ref().map(text)),
            ("idempotencyStrategy", self.if_there_is_one.map(|rule| Payload::string(rule.word()))),
        ];
        parts.extend(more.into_iter().filter_map(|(name, value)| Some((name, value?))));
        Ok(Payload::object(parts).render())
    }

    fn task_to_domain(&self) -> Result<Option<Payload>, Failure> {
        let pair = |pair: &String| {
            let (task, domain) = pair.split_once('=').ok_or_else(|| {
                Failure::usage(format!("`--domain {pair}` names no domain"), "write `--domain TASK=DOMAIN`")
            })?;
            Ok((task.to_owned(), Payload::string(domain)))
        };
        let pairs = self.domains.iter().map(pair).collect::<Result<Vec<_>, Failure>>()?;
        Ok((!pairs.is_empty()).then(|| Payload::object(pairs)))
    }
}

/// Servers answer with the bare id; some put it between quotes.
pub fn id_of(answer: &str) -> String {
    answer.trim().trim_matches('"').to_owned()
}

/// Of a name that nobody has registered, the nearest that somebody has.
fn unknown_name(desk: &Desk, problem: Problem, name: &str) -> Problem {
    if !problem.is_not_found() {
        return problem;
    }
    problem.or_hint(|| {
        let names = desk.client.get_json(&Route::new("metadata/workflow/names-and-versions")).ok();
        let near = names
            .as_ref()
            .and_then(|names| names.as_object())
            .and_then(|names| partitur_model::fault::did_you_mean(name, names.keys().map(String::as_str)));
        Some(match near {
            Some(near) if near != name => format!("did you mean `{near}`?"),
            Some(_) | None => "`partitur workflow definitions` lists what there is".to_owned(),
        })
    })
}
