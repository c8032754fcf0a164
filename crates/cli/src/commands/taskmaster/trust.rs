//! `partitur taskmaster trust`: whether the declared dependencies can be trusted, with evidence, point by point.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use partitur_formats::taskmaster::{Finding, Meaning, Part, Status, check, next, next_as_taskmaster};
use partitur_model::Severity;
use partitur_report::trust::{Ran, Subject, Trust, Verdict};
use partitur_store::RunFilter;
use serde_json::{Value, json};

use super::file::{Opened, Selection};
use super::plan::{figures, names};
use super::shape::Shape;
use super::weights::Weights;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::{Global, open_reader};

/// Say whether the declared dependencies can be trusted, and what to do before running in parallel
///
/// Which references are wrong, which dependencies follow from others, which are missing (tasks without order that write the same
/// file), which cost time for no reason that can be seen, what earlier runs have disproved, and how Taskmaster itself differs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur taskmaster trust
  partitur taskmaster trust --json | jq .verdict")]
pub struct TrustArgs {
    #[command(flatten)]
    selection: Selection,
    /// As JSON on standard output
    #[arg(long)]
    json: bool,
}

/// So many entries of a list are shown.
const SHOWN_MAX: usize = 8;

/// So many earlier runs are looked at.
const RUNS_MAX: usize = 20;

impl TrustArgs {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let opened = self.selection.file.open(global.color)?;
        let begun = Instant::now();
        let backlog = opened.source.backlog();
        let tag = self.selection.tag(&opened, &backlog)?;
        let rule = self.selection.file.rule();
        let mut findings = check(&opened.source, &backlog, rule);
        findings.retain(|finding| finding.tag == tag.name);
        let shape = Shape::of(tag, Weights::of(tag, &opened.root), rule, Part::All);
        let history = history(&shape, &opened, global)?;
        let trust = judge(&shape, &findings, &history);
        let page = Page { shape: &shape, findings, trust, runs: history.len(), took: begun.elapsed() };
        if self.json {
            println!("{}", page.json());
        } else {
            print!("{}", page.text());
        }
        Ok(if page.trust.verdict == Verdict::NotBefore { Exit::Failed } else { Exit::Success })
    }
}

/// All nodes of the whole graph belong to the part that is looked at, so that both count them alike.
fn judge(shape: &Shape<'_, '_>, findings: &[Finding], history: &[Vec<Ran>]) -> Trust {
    let cut = |reference: &&_| !shape.order.cuts.iter().any(|cut| cut.reference == **reference);
    let declared: Vec<(u32, u32)> = shape
        .references
        .iter()
        .filter(cut)
        .filter_map(|reference| {
            let target = reference.meaning.task().filter(|&target| target != reference.task)?;
            Some((shape.order.end(target), shape.order.begin(reference.task)))
        })
        .collect();
    let files = |node: u32| {
        let files = shape.task(node).map(|task| shape.tag.files(task)).unwrap_or_default();
        files.into_iter().map(|file| (file.path.to_owned(), file.write)).collect()
    };
    let files: Vec<Vec<(String, bool)>> = (0..shape.csr.nodes()).map(files).collect();
    let is_task: Vec<bool> = (0..shape.csr.nodes()).map(|node| shape.task(node).is_some()).collect();
    let subject = Subject {
        csr: &shape.csr,
        durations: &shape.durations,
        declared: &declared,
        files: &files,
        is_task: &is_task,
        history,
        errors: findings.iter().filter(|finding| finding.fault.severity == Severity::Error).count(),
    };
    Trust::of(&subject).expect("what closed a cycle was left out")
}

/// What earlier runs of the tag say about when its tasks ran.
fn history(shape: &Shape<'_, '_>, opened: &Opened, global: &Global) -> Result<Vec<Vec<Ran>>, Failure> {
    let Some(reader) = open_reader(&global.state_for(&opened.root))? else { return Ok(Vec::new()) };
    let name = Some(format!("taskmaster {}", shape.tag.name));
    let runs = reader.runs(&RunFilter { name, limit: RUNS_MAX, ..RunFilter::default() })?.runs;
    let nodes: HashMap<String, u32> = shape.order.names(shape.tag).into_iter().zip(0..).collect();
    let mut history = Vec::new();
    for run in runs {
        let ran = reader.tasks(run.id)?.into_iter().filter_map(|task| {
            let succeeded = task.error.is_none();
            let node = *nodes.get(&*task.node)?;
            Some(Ran { node, began: task.started?.millis(), ended: task.ended?.millis(), succeeded })
        });
        history.push(ran.collect());
    }
    Ok(history)
}

/// What is said.
struct Page<'p, 'c, 's> {
    shape: &'p Shape<'c, 's>,
    findings: Vec<Finding>,
    trust: Trust,
    runs: usize,
    took: Duration,
}

impl Page<'_, '_, '_> {
    fn text(&self) -> String {
        let parts = [
            ("accuracy", self.accuracy()),
            ("edge cases", self.edge_cases()),
            ("performance", self.performance()),
            ("error recovery", self.recovery()),
            ("integration", self.integration()),
            ("trustworthiness", self.trustworthiness()),
        ];
        let part = |(name, lines): &(&str, Vec<String>)| format!("{name}\n  {}\n", lines.join("\n  "));
        parts.iter().map(part).collect::<Vec<_>>().join("\n")
    }

    /// What is declared, and what of it is wrong or says nothing new.
    fn accuracy(&self) -> Vec<String> {
        let declared = self.shape.references.len();
        let mut lines = vec![match self.counts(Severity::Error).as_str() {
            "" => format!("all of {declared} dependencies lead where they should, and none closes a cycle"),
            errors => format!("of {declared} dependencies and their tasks: {errors}"),
        }];
        if !self.trust.redundant.is_empty() {
            let count = self.trust.redundant.len();
            let shown = listed(self.trust.redundant.iter().map(|&edge| self.edge(edge)));
            lines.push(format!("{count} follow from others and can go: {shown}"));
        }
        if !self.trust.redundant_complete {
            lines.push("there may be more that follow from others: not all were looked at".to_owned());
        }
        lines
    }

    fn edge_cases(&self) -> Vec<String> {
        let warnings = self.findings.iter().filter(|it| it.fault.severity == Severity::Warning);
        let mut lines: Vec<String> = warnings.map(|finding| finding.fault.message.clone()).collect();
        let more = lines.len().saturating_sub(SHOWN_MAX);
        lines.truncate(SHOWN_MAX);
        if more > 0 {
            lines.push(format!("and {more} more: `partitur taskmaster check`"));
        }
        let cancelled = self.cancelled();
        if !cancelled.is_empty() {
            let shown = listed(cancelled.into_iter());
            lines.push(format!(
                "cancelled, and nobody waits for it (--cancelled-holds changes that): {shown}"
            ));
        }
        if lines.is_empty() {
            lines.push("none".to_owned());
        }
        lines
    }

    /// Cancelled tasks that others depend on.
    fn cancelled(&self) -> Vec<String> {
        let targets = self.shape.references.iter().filter_map(|reference| reference.meaning.task());
        let cancelled = |&task: &u32| {
            self.shape.tag.tasks[task as usize].status == Status::Cancelled
                && self.shape.standing.is_satisfied(task)
        };
        let mut found: Vec<u32> = targets.filter(cancelled).collect();
        found.sort_unstable();
        found.dedup();
        names(self.shape, &found)
    }

    fn performance(&self) -> Vec<String> {
        let took = self.took.as_secs_f64() * 1000.0;
        let mut lines = vec![format!("checked and analysed in {took:.1} ms")];
        lines.extend(figures(self.shape).lines().map(str::to_owned));
        lines
    }

    fn recovery(&self) -> Vec<String> {
        let safe = self.findings.iter().filter(|it| it.edit.as_ref().is_some_and(|edit| edit.safe)).count();
        let mut lines = vec![match safe {
            0 => "nothing can be mended without a decision of yours".to_owned(),
            _ => format!("`partitur taskmaster check --write` mends {safe} findings"),
        }];
        lines.push(match self.trust.weightiest {
            Some((node, count)) => {
                format!(
                    "most wait for {}, {count} of {} tasks: they are held up if it fails",
                    self.name(node),
                    self.trust.tasks
                )
            }
            None => "if a task fails, no other is held up".to_owned(),
        });
        lines
    }

    /// Where Taskmaster itself would say something else.
    fn integration(&self) -> Vec<String> {
        let (alarms, silences) = self.misjudged();
        let mut lines = Vec::new();
        if alarms > 0 {
            lines.push(format!("Taskmaster's check calls {alarms} sound references to siblings missing"));
        }
        if silences > 0 {
            lines.push(format!(
                "Taskmaster's check is silent about {silences} that name a task as if it were a sibling"
            ));
        }
        let (own, theirs) = self.choices();
        lines.push(match own == theirs {
            true => "the next task is the same by the rule and by Taskmaster".to_owned(),
            false => format!(
                "the next task is {} by the rule, and {} by Taskmaster",
                own.as_deref().unwrap_or("none"),
                theirs.as_deref().unwrap_or("none")
            ),
        });
        lines
    }

    /// Plain ids in subtasks: siblings that Taskmaster looks up among the tasks, and the other way round.
    fn misjudged(&self) -> (usize, usize) {
        let tag = self.shape.tag;
        let is_top = |token: &str| tag.tasks.iter().any(|task| task.parent.is_none() && task.id == token);
        let mut known: HashMap<&str, bool> = HashMap::new();
        let (mut alarms, mut silences) = (0, 0);
        for reference in &self.shape.references {
            let token = tag.dependencies[reference.dependency as usize].token;
            match reference.meaning {
                Meaning::OtherLevel(_) => silences += 1,
                Meaning::Task(_)
                    if tag.tasks[reference.task as usize].parent.is_some() && !token.contains('.') =>
                {
                    alarms += usize::from(!*known.entry(token).or_insert_with(|| is_top(token)));
                }
                Meaning::Task(_) | Meaning::Nothing => {}
            }
        }
        (alarms, silences)
    }

    /// What is next by the rule, and by Taskmaster.
    fn choices(&self) -> (Option<String>, Option<String>) {
        let Shape { tag, order, standing, weights, .. } = self.shape;
        let own = next(tag, order, standing, &weights.of_task).first().map(|best| tag.name_of(best.task));
        (own, next_as_taskmaster(tag).map(|task| tag.name_of(task)))
    }

    fn trustworthiness(&self) -> Vec<String> {
        let trust = &self.trust;
        let mut lines = Vec::new();
        if !trust.doubtful.is_empty() {
            let doubt = |doubt: &partitur_report::trust::Doubt| {
                let saved = self.shape.weights.in_units(doubt.saved);
                let why = if doubt.no_common_file { ", and both have no file in common" } else { "" };
                format!(
                    "{} (without it {saved:.1} of {:.1} less{why})",
                    self.edge((doubt.from, doubt.to)),
                    self.shape.weights.in_units(trust.length)
                )
            };
            lines.push(format!("question first: {}", listed(trust.doubtful.iter().map(doubt))));
        }
        if !trust.disproved.is_empty() {
            let shown = listed(trust.disproved.iter().map(|&edge| self.edge(edge)));
            lines.push(format!("not kept to in earlier runs, and all went well: {shown}"));
        }
        let begun_early: Vec<String> = self.begun_early();
        if !begun_early.is_empty() {
            let shown = listed(begun_early.into_iter());
            lines.push(format!("done before what they depend on, so perhaps not needed: {shown}"));
        }
        if !trust.missing.is_empty() {
            let missing = |it: &partitur_report::trust::Missing| {
                format!("{} and {} ({})", self.name(it.first), self.name(it.second), it.lock)
            };
            let count = trust.missing.len() as u64 + trust.missing_more;
            lines.push(format!(
                "touch the same file without order ({count}): {}",
                listed(trust.missing.iter().map(missing))
            ));
        }
        if trust.silent > 0 {
            lines.push(format!(
                "{} of {} tasks name no files: whether they collide cannot be seen",
                trust.silent, trust.tasks
            ));
        }
        lines.push(match self.runs {
            0 => "there is no earlier run".to_owned(),
            1 => "one earlier run was looked at".to_owned(),
            runs => format!("{runs} earlier runs were looked at"),
        });
        lines.push(self.recommendation());
        lines
    }

    /// Dependencies of tasks that are done on tasks that are not.
    fn begun_early(&self) -> Vec<String> {
        let Shape { tag, standing, .. } = self.shape;
        let early = self.shape.references.iter().filter_map(|reference| {
            let target = reference.meaning.task().filter(|&target| target != reference.task)?;
            let done = tag.tasks[reference.task as usize].status == Status::Done;
            let open = !standing.is_satisfied(target);
            (done && open).then(|| format!("{} → {}", tag.name_of(target), tag.name_of(reference.task)))
        });
        early.collect()
    }

    fn recommendation(&self) -> String {
        match self.trust.verdict {
            Verdict::Safe => "recommendation: safe to run in parallel".to_owned(),
            Verdict::SafeWithLocks => format!(
                "recommendation: safe to run in parallel with locks on {}; `partitur taskmaster run` takes them",
                listed(self.trust.locks().into_iter().map(str::to_owned))
            ),
            Verdict::SafeAsFarAsSeen => {
                "recommendation: safe to run in parallel as far as the file says; name the files of tasks under \
                 `relevantFiles`, or run them one at a time if they may touch the same"
                    .to_owned()
            }
            Verdict::NotBefore => {
                "recommendation: not before the errors are mended; `partitur taskmaster check` shows how".to_owned()
            }
        }
    }

    /// `4 × P0155, 1 × P0158`.
    fn counts(&self, severity: Severity) -> String {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for finding in self.findings.iter().filter(|finding| finding.fault.severity == severity) {
            *counts.entry(finding.fault.code).or_default() += 1;
        }
        let count = |(code, count): (&&str, &usize)| format!("{count} × {} ({code})", meaning(code));
        counts.iter().map(count).collect::<Vec<_>>().join(", ")
    }

    fn name(&self, node: u32) -> String {
        self.shape.tag.name_of(self.shape.order.nodes[node as usize].0)
    }

    /// `1 → 2`: 2 waits for 1.
    fn edge(&self, (from, to): (u32, u32)) -> String {
        format!("{} → {}", self.name(from), self.name(to))
    }

    fn json(&self) -> Value {
        let trust = &self.trust;
        let units = |sum: u64| self.shape.weights.in_units(sum);
        let edge = |(from, to): (u32, u32)| json!({"from": self.name(from), "to": self.name(to)});
        let edges = |list: &[(u32, u32)]| list.iter().map(|&it| edge(it)).collect::<Vec<_>>();
        let findings = |severity: Severity| {
            let of = self.findings.iter().filter(|finding| finding.fault.severity == severity);
            of.map(|it| json!({"code": it.fault.code, "task": it.task, "message": it.fault.message}))
                .collect::<Vec<_>>()
        };
        let (alarms, silences) = self.misjudged();
        let (own, theirs) = self.choices();
        json!({
            "version": 1,
            "tag": self.shape.tag.name,
            "tasks": trust.tasks,
            "dependencies": self.shape.references.len(),
            "errors": findings(Severity::Error),
            "warnings": findings(Severity::Warning),
            "redundant": edges(&trust.redundant),
            "missing": trust.missing.iter().map(|it| json!({"first": self.name(it.first), "second": self.name(it.second), "lock": it.lock})).collect::<Vec<_>>(),
            "missing_more": trust.missing_more,
            "doubtful": trust.doubtful.iter().map(|it| json!({"from": self.name(it.from), "to": self.name(it.to), "saved": units(it.saved), "no_common_file": it.no_common_file})).collect::<Vec<_>>(),
            "disproved": edges(&trust.disproved),
            "done_early": self.begun_early(),
            "unit": if self.shape.weights.known { "points" } else { "tasks" },
            "work": units(trust.work),
            "length": units(trust.length),
            "makespans": trust.makespans.iter().map(|&(workers, makespan)| json!({"workers": workers, "makespan": units(makespan)})).collect::<Vec<_>>(),
            "weightiest": trust.weightiest.map(|(node, count)| json!({"task": self.name(node), "waiting": count})),
            "without_files": trust.silent,
            "taskmaster": {"false_alarms": alarms, "false_silences": silences, "next": theirs},
            "next": own,
            "runs": self.runs,
            "verdict": match trust.verdict {
                Verdict::Safe => "safe",
                Verdict::SafeWithLocks => "safe-with-locks",
                Verdict::SafeAsFarAsSeen => "safe-as-far-as-seen",
                Verdict::NotBefore => "not-before-mended",
            },
            "locks": trust.locks(),
            "ms": self.took.as_secs_f64() * 1000.0,
        })
    }
}

/// What a code means in two words.
fn meaning(code: &str) -> &'static str {
    use partitur_formats::taskmaster::codes;
    match code {
        codes::UNKNOWN_TASK => "does not exist",
        codes::SELF_DEPENDENCY => "depends on itself",
        codes::CYCLE => "cycle",
        codes::CONTAINMENT => "waits for its own task",
        codes::DUPLICATE_ID => "id given twice",
        codes::NO_ID => "no id",
        codes::WRONG_TYPE => "no task or list",
        codes::DUPLICATE_KEY => "tag given twice",
        _ => "other",
    }
}

/// The first entries, and how many more there are.
fn listed(entries: impl Iterator<Item = String>) -> String {
    let mut entries: Vec<String> = entries.collect();
    let more = entries.len().saturating_sub(SHOWN_MAX);
    entries.truncate(SHOWN_MAX);
    let shown = entries.join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}
