//! `partitur graph`: a document as a picture, and what a run has made of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use partitur_graph::render;
use partitur_report::picture::{self, Overlay, Sketch};
use partitur_report::{Performance, Watch, short};

use crate::commands::runs::shown_state;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::plan::{self, Paper};
use crate::progress::moment;
use crate::records::{self, Records};
use crate::settings::{Global, open_reader};
use crate::shape::{Expected, Shape};

/// Draw a document or a run of it
///
/// The critical path is drawn from the durations of earlier runs, else from those that the document expects; with a run,
/// it is the chain of tasks that determined the run's end. A page of HTML needs no network: it can be moved, searched and
/// folded.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur graph flow.yaml                       # in the terminal
  partitur graph flow.yaml -o flow.svg
  partitur graph flow.yaml --run last -o run.html
  partitur graph flow.yaml --format dot | dot -Tpdf > flow.pdf
  partitur graph flow.yaml --format mermaid >> README.md")]
pub struct Graph {
    /// The document: native YAML or JSON, nodes and edges, or a definition of Conductor's
    file: PathBuf,
    /// As what [default: what the name of the output file says, else text]
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<Format>,
    /// With the states of this run
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// As what a graph is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A picture for papers and browsers
    Svg,
    /// The language of Graphviz
    Dot,
    /// The language of Mermaid, for Markdown
    Mermaid,
    /// Lines for a terminal
    Text,
    /// One page that works offline, for graphs of any size
    Html,
}

impl Format {
    /// What the ending of a file says.
    fn of(path: &Path) -> Option<Format> {
        match path.extension()?.to_str()? {
            "svg" => Some(Format::Svg),
            "dot" | "gv" => Some(Format::Dot),
            "mmd" | "mermaid" => Some(Format::Mermaid),
            "txt" => Some(Format::Text),
            "html" | "htm" => Some(Format::Html),
            _ => None,
        }
    }
}

impl Graph {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let loaded = Paper::open(&self.file, global.color)?;
        let format =
            self.format.or_else(|| self.output.as_deref().and_then(Format::of)).unwrap_or(Format::Text);
        let records = match &self.run {
            Some(text) => Some(self.records(global, &loaded, text)?),
            None => None,
        };
        let picture = self.picture(global, &loaded, records.as_ref())?;
        let colour = self.output.is_none() && global.color.for_stream(&std::io::stdout());
        let drawn = match format {
            Format::Svg => render::svg(&picture),
            Format::Dot => render::dot(&picture),
            Format::Mermaid => render::mermaid(&picture),
            Format::Text => render::text(&picture, colour),
            Format::Html => render::html(&picture),
        };
        match &self.output {
            None => plan::put(&drawn),
            Some(path) => std::fs::write(path, drawn).map_err(|error| unwritten(path, &error))?,
        }
        Ok(Exit::Success)
    }

    /// The run that is shown, of this document or an older state of it.
    fn records(&self, global: &Global, loaded: &Paper, text: &str) -> Result<Records, Failure> {
        let state = global.state_for(&loaded.dir);
        let reader = open_reader(&state)?.ok_or(Failure::NoState)?;
        let run = records::find(&reader, &state, text)?;
        let number = run.id.number();
        if run.name != loaded.record.name {
            return Err(Failure::usage(
                format!("run {number} is one of `{}`, not of `{}`", run.name, loaded.record.name),
                format!("`partitur runs` lists the runs of `{}`", loaded.record.name),
            ));
        }
        if run.definition != loaded.record.id {
            eprintln!("the document is not the one of run {number} any more: tasks are matched by name");
        }
        Records::read(&reader, run.id, None)
    }

    fn picture(
        &self,
        global: &Global,
        loaded: &Paper,
        records: Option<&Records>,
    ) -> Result<render::Picture, Failure> {
        let definition = &*loaded.definition;
        let shape = Shape::of(definition, &[]);
        let history = match open_reader(&global.state_for(&loaded.dir))? {
            Some(reader) => reader.durations(&definition.name)?,
            None => BTreeMap::new(),
        };
        let expected = plan::expected(&shape, &history);
        let (critical, standing) = match records {
            None => (planned(&shape, &expected), String::new()),
            Some(records) => played(records, &shape),
        };
        let story = records.map(|records| records.story(moment()));
        let overlay = story.as_ref().map(Overlay::of);
        let mut picture = Sketch { definition, history: &history, overlay: overlay.as_ref() }.picture();
        mark(&mut picture, &critical);
        picture.title = definition.name.clone();
        picture.subtitle = subtitle(&shape, &standing);
        picture::group(&mut picture, &definition.root);
        render::fold_by_prefix(&mut picture);
        Ok(picture)
    }
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    let reason = error.to_string();
    let reason = reason.split(" (os error").next().unwrap_or_default().to_lowercase();
    Failure::usage(
        format!("{} cannot be written: {reason}", path.display()),
        "without --output, the picture goes to standard output",
    )
}

/// The critical path by expected durations, as names.
fn planned(shape: &Shape<'_>, expected: &[Expected]) -> Vec<String> {
    let durations: Vec<u64> =
        expected.iter().map(|expected| expected.duration().as_millis() as u64).collect();
    let Some(waves) = shape.waves() else { return Vec::new() };
    let bottom = partitur_graph::bottom_levels(&shape.csr, &waves, &durations);
    let path = partitur_graph::critical_path(&shape.csr, &waves, &bottom);
    // A single task is no path.
    let path = if shape.csr.edges() == 0 { Vec::new() } else { path.nodes };
    path.iter().map(|&node| shape.nodes[node as usize].name.clone()).collect()
}

/// The chain that determined the end of a run, and how the run stands.
fn played(records: &Records, shape: &Shape<'_>) -> (Vec<String>, String) {
    let now = partitur_model::Timestamp::from_millis(crate::progress::now());
    let performance = Performance::of(&records.story(now), &Watch::default());
    let known = |path: &str| shape.nodes.iter().any(|node| node.name == path);
    // A part of a task stands for the task.
    let whole = |path: &str| path.split(['/', '[', '#']).next().unwrap_or(path).to_owned();
    let mut chain: Vec<String> = performance
        .critical
        .iter()
        .map(|link| if known(&link.path) { link.path.to_string() } else { whole(&link.path) })
        .collect();
    chain.dedup();
    let (_, state) = shown_state(&records.run, &[]);
    let wall = short(Duration::from_millis(performance.wall.as_millis() as u64));
    (chain, format!("run {}: {state} after {wall}", records.run.id.number()))
}

/// Marks the path among the tasks that are in no container, and the dependencies along it.
fn mark(picture: &mut render::Picture, path: &[String]) {
    let at = |name: &String| {
        picture.items.iter().position(|item| item.inside.is_none() && item.name == *name).map(|at| at as u32)
    };
    let path = joined(picture, &path.iter().filter_map(at).collect::<Vec<_>>());
    for &item in &path {
        picture.items[item as usize].critical = true;
    }
    for link in &mut picture.links {
        link.critical = path.windows(2).any(|step| step == [link.from, link.to]);
    }
}

/// The path with what lies between those of its tasks that no dependency joins: what took no time is not told of a run.
fn joined(picture: &render::Picture, path: &[u32]) -> Vec<u32> {
    let edges: Vec<(u32, u32)> = picture.links.iter().map(|link| (link.from, link.to)).collect();
    let csr = partitur_graph::Csr::build(picture.items.len() as u32, &edges);
    let mut joined: Vec<u32> = path.first().copied().into_iter().collect();
    for step in path.windows(2) {
        joined.extend(between(&csr, step[0], step[1]));
        joined.push(step[1]);
    }
    joined
}

/// The tasks on a shortest way from one to another, both left out.
fn between(csr: &partitur_graph::Csr, from: u32, to: u32) -> Vec<u32> {
    let mut came_from: BTreeMap<u32, u32> = BTreeMap::new();
    let mut open = std::collections::VecDeque::from([from]);
    while let Some(node) = open.pop_front() {
        for &next in csr.successors(node) {
            if !came_from.contains_key(&next) && next != from {
                came_from.insert(next, node);
                open.push_back(next);
            }
        }
    }
    let steps = std::iter::successors(came_from.get(&to), |node| came_from.get(node));
    let mut steps: Vec<u32> = steps.copied().take_while(|&node| node != from).collect();
    steps.reverse();
    steps
}

fn subtitle(shape: &Shape<'_>, standing: &str) -> String {
    let count = |number: u32, one: &str, many: &str| match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    };
    let size = format!(
        "{}, {}",
        count(shape.csr.nodes(), "task", "tasks"),
        count(shape.csr.edges(), "dependency", "dependencies")
    );
    if standing.is_empty() { size } else { format!("{size} · {standing}") }
}
