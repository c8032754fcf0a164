//! What a run tells others over HTTP: a note for each of those who want to hear of a moment, in the commit in which the
//! run gets there. Who sends it, and how often, is not known here.

use std::sync::Arc;

use partitur_model::callback::{Callback, Moment, Moments, NamedReceiver, Receiver};
use partitur_model::definition::Dialect;
use partitur_model::note::{Note, NoteKind};
use partitur_model::record::{RunState, TaskError, TaskRecord};
use partitur_model::{Payload, RunId, TaskId, Timestamp};

use crate::cx::Cx;
use crate::run::Run;

/// An output that is longer, in bytes, is not told: whoever hears of the run can ask for it.
const OUTPUT_MAX: usize = 64 << 10;

/// Who is told by this engine, besides those whom definitions and submitters name.
#[derive(Debug, Default)]
pub(crate) struct Callbacks {
    /// `None` if nobody sends anything: then nothing is noted.
    named: Option<Arc<[NamedReceiver]>>,
    /// So many were noted.
    pub noted: u64,
}

impl Callbacks {
    pub fn new(named: Option<Vec<NamedReceiver>>) -> Callbacks {
        Callbacks { named: named.map(Arc::from), noted: 0 }
    }
}

impl Run {
    /// The run has got somewhere: whoever wants to hear of that is told.
    pub(crate) fn call_back(&self, cx: &mut Cx<'_>, moment: Moment) {
        if let Some(named) = self.somebody_listens(cx) {
            self.note_callbacks(cx, &named, moment, None);
        }
    }

    /// The same of one of its tasks.
    pub(crate) fn call_back_of_task(&self, cx: &mut Cx<'_>, moment: Moment, task: &TaskRecord) {
        if let Some(named) = self.somebody_listens(cx) {
            self.note_callbacks(cx, &named, moment, Some(task));
        }
    }

    /// Nearly always nobody does; then this is all that is done.
    fn somebody_listens(&self, cx: &Cx<'_>) -> Option<Arc<[NamedReceiver]>> {
        let named = cx.callbacks.named.as_ref()?;
        let is_meant = !self.program.definition.callbacks.is_empty()
            || !self.rec.options.callbacks.is_empty()
            || !named.is_empty();
        is_meant.then(|| named.clone())
    }

    fn note_callbacks(
        &self,
        cx: &mut Cx<'_>,
        named: &[NamedReceiver],
        moment: Moment,
        task: Option<&TaskRecord>,
    ) {
        let of_run = self.rec.options.callbacks.iter().chain(&self.program.definition.callbacks);
        let mut told: Vec<&Receiver> = Vec::new();
        for callback in of_run {
            if moments(callback, named).contain(moment) && !told.contains(&&callback.to) {
                self.note_callback(cx, callback, moment, task);
                told.push(&callback.to);
            }
        }
        let is_told =
            |name: &str| told.iter().any(|to| matches!(to, Receiver::Named(known) if **known == *name));
        for receiver in named.iter().filter(|receiver| receiver.hears_of(&self.rec.name)) {
            let callback = Callback::to(Receiver::Named(receiver.name.clone()));
            if moments(&callback, named).contain(moment) && !is_told(&receiver.name) {
                self.note_callback(cx, &callback, moment, task);
            }
        }
    }

    fn note_callback(&self, cx: &mut Cx<'_>, callback: &Callback, moment: Moment, task: Option<&TaskRecord>) {
        // Tokens rise over all starts of the node: so do the ids of a run's callbacks.
        let id = format!("{}.{:016x}", self.id(), cx.next_token().0);
        let parts = [
            ("to", Payload::string(callback.to.as_str())),
            ("secret", callback.secret.as_deref().map(Payload::string).unwrap_or_default()),
            ("tries", 0_u64.into()),
            ("event", self.told(&id, cx.now, moment, task, callback.output)),
        ];
        cx.batch.note(Note {
            kind: NoteKind::Callback,
            id: id.into(),
            about: callback.to.lane(),
            at: cx.now,
            run: Some(self.id()),
            body: Some(Payload::object(parts).to_raw()),
        });
        cx.callbacks.noted += 1;
    }

    /// What is told. All of it is said here: rows may say something else when it is sent.
    fn told(
        &self,
        id: &str,
        now: Timestamp,
        moment: Moment,
        task: Option<&TaskRecord>,
        with_output: bool,
    ) -> Payload {
        let record = &self.rec;
        let server = record.options.server.as_deref();
        let text = Payload::string;
        let kind = moment
            .word()
            .strip_prefix("task-")
            .map_or_else(|| format!("run.{}", moment.word()), |word| format!("task.{word}"));
        let mut parts = vec![
            ("id", text(id)),
            ("type", text(&kind)),
            ("at", now.millis().into()),
            ("run", text(&record.id.to_string())),
            ("workflow", text(&record.name)),
            ("state", text(state_word(record.state))),
            ("created", record.created.millis().into()),
        ];
        parts.extend(server.map(|server| ("version", u64::from(server.version).into())));
        parts.extend(server.and_then(|server| Some(("correlationId", text(server.correlation.as_deref()?)))));
        parts.extend(record.parent.map(|parent| ("parent", text(&parent.run.to_string()))));
        if let Some(task) = task {
            parts.push(("task", self.told_of_task(task)));
            return Payload::object(parts);
        }
        let ended = record.state.is_ended().then_some(record.ended).flatten();
        parts.extend(ended.map(|ended| ("ended", ended.millis().into())));
        parts.extend(reason(record.error.as_ref()));
        let output = record.output.as_ref().filter(|output| record.state.is_ended() && !output.is_null());
        parts.extend(output.map(|output| self.told_output(output, with_output)));
        Payload::object(parts)
    }

    fn told_output(&self, output: &Payload, is_wanted: bool) -> (&'static str, Payload) {
        let is_told = is_wanted && !self.program.definition.hides_output;
        let rendered = is_told.then(|| output.to_raw()).filter(|raw| raw.as_str().len() <= OUTPUT_MAX);
        rendered.map_or(("outputOmitted", Payload::from(true)), |raw| ("output", Payload::Raw(raw)))
    }

    fn told_of_task(&self, task: &TaskRecord) -> Payload {
        let mut parts = vec![
            ("id", Payload::string(&task_name(self.id(), task))),
            ("name", Payload::string(if self.is_of_conductor() { &task.node } else { &task.path })),
            (
                "attempt",
                u64::from(task.served.as_ref().map_or(task.attempt, |served| served.retries + 1)).into(),
            ),
        ];
        parts.extend(reason(task.error.as_ref()));
        Payload::object(parts)
    }

    fn is_of_conductor(&self) -> bool {
        self.program.definition.dialect == Dialect::Conductor
    }
}

fn task_name(run: RunId, task: &TaskRecord) -> String {
    TaskId::new(run, task.seq).to_string()
}

fn reason(error: Option<&TaskError>) -> Option<(&'static str, Payload)> {
    error.map(|error| ("reason", Payload::string(&error.message)))
}

/// Of which moments somebody is told.
fn moments(callback: &Callback, named: &[NamedReceiver]) -> Moments {
    let of_named = || match &callback.to {
        Receiver::Named(name) => named.iter().find(|receiver| receiver.name == *name)?.moments,
        Receiver::Url(_) => None,
    };
    callback.moments.or_else(of_named).unwrap_or(Moments::ENDS)
}

fn state_word(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Paused => "paused",
        RunState::Ending(_) => "ending",
        RunState::RollingBack(_) => "rolling-back",
        RunState::Ended(outcome) => Moment::of_end(outcome).word(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use partitur_model::change::Change;
    use partitur_model::definition::Definition;
    use partitur_model::record::{DefinitionRecord, RunOptions, SourceFormat};
    use partitur_model::{DefinitionId, Timestamp};

    use super::*;
    use crate::batch::{Batch, BatchNo};
    use crate::engine::{Boot, Engine, Options};
    use crate::input::{Input, Submission};

    /// To whom the notes go that a run without tasks leaves, by what is told.
    fn told(named: Option<Vec<NamedReceiver>>, callbacks: Vec<Callback>) -> Vec<(String, String)> {
        let definition = Arc::new(Definition { name: "flow".into(), ..Definition::default() });
        let program = crate::program::compile(&definition).expect("it is sound");
        let (name, format) = (definition.name.clone(), SourceFormat::Yaml);
        let record = Arc::new(DefinitionRecord { id: DefinitionId(1), name, format, files: Vec::new() });
        let options = Options { callbacks: named, ..Options::default() };
        let mut batch = Batch::new(BatchNo(1));
        let (mut engine, _) = Engine::new(options, Boot::default(), Timestamp::ZERO, &mut batch);
        let submission = Submission {
            program,
            definition: record,
            input: Payload::object::<&str>([]),
            options: RunOptions { callbacks, ..RunOptions::default() },
            under_key: None,
            random: 0,
            expected: Vec::new(),
            reply: None,
        };
        engine.step(Timestamp::ZERO, Input::Submit(Box::new(submission)), &mut batch);
        let notes = batch.changes().iter().filter_map(|change| {
            let Change::Note(note) = change else { return None };
            Some((note.about.to_string(), note.body.clone()?.as_str().to_owned()))
        });
        let kind = |body: String| {
            body.split("\"type\":\"").nth(1).unwrap_or_default().split('"').next().map(str::to_owned)
        };
        notes.map(|(lane, body)| (lane, kind(body).unwrap_or_default())).collect()
    }

    fn receiver(name: &str, moments: &[Moment], workflows: Option<&str>) -> NamedReceiver {
        let moments = Some(Moments::of(moments)).filter(|moments| !moments.is_empty());
        NamedReceiver { name: name.into(), moments, workflows: workflows.map(str::to_owned) }
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(lane, kind)| ((*lane).to_owned(), (*kind).to_owned())).collect()
    }

    #[test]
    fn a_run_that_names_nobody_leaves_no_note() {
        assert_eq!(told(Some(vec![receiver("erp", &[], None)]), Vec::new()), []);
        let to = Callback::to(Receiver::Named("erp".into()));
        assert_eq!(told(None, vec![to]), [], "nobody sends any");
    }

    #[test]
    fn who_is_named_twice_is_told_once_and_of_what_the_nearest_word_says() {
        let named = || Some(vec![receiver("erp", &[Moment::Started], Some("fl*"))]);
        let to = Callback::to(Receiver::Named("erp".into()));
        assert_eq!(told(named(), Vec::new()), pairs(&[("erp", "run.started")]));
        assert_eq!(told(named(), vec![to.clone(), to.clone()]), pairs(&[("erp", "run.started")]));
        let ends = Callback { moments: Some(Moments::ENDS), ..to };
        let both = told(named(), vec![ends]);
        assert_eq!(both, pairs(&[("erp", "run.started"), ("erp", "run.completed")]));
        let url = Callback::to(Receiver::Url("http://A.example/x".into()));
        assert_eq!(told(Some(Vec::new()), vec![url]), pairs(&[("http://a.example", "run.completed")]));
    }
}
