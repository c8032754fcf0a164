//! `partitur logs`: what the tasks of a run have written, in the order in which it came.

use std::collections::HashMap;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use partitur_model::fault::did_you_mean;
use partitur_model::{RunId, TaskSeq};
use partitur_store::Reader;
use partitur_worker::log::{Frame, Reader as LogReader, Stream};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::Target;
use crate::settings::Global;

/// With `--follow`, the log is looked at this often.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Print what the tasks of a run have written
///
/// Of one task, its output as it was; of several, line by line with the task's name in front.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur logs last
  partitur logs 12 orders
  partitur logs 12 invoices            # all parts of a list
  partitur logs last --follow")]
pub struct Logs {
    /// Which run
    run: String,
    /// Only this task, or all parts of it
    task: Option<String>,
    /// Go on until the run has ended
    #[arg(short, long)]
    follow: bool,
    /// Only this attempt, from 1
    #[arg(long, value_name = "N")]
    attempt: Option<u32>,
}

impl Logs {
    pub fn run(self, global: &Global) -> Result<Exit, Failure> {
        let target = Target::find(global, &self.run)?;
        let mut book = Book::open(&target)?;
        let only_one = match &self.task {
            Some(task) => book.check(&target.reader, task, self.follow)?,
            None => false,
        };
        let mut printer = Printer { only_one, ..Printer::new() };
        loop {
            // Whether it has ended is asked first: what was written before is then there.
            let over = !self.follow || has_ended(&target)?;
            let printed = self.print(&mut book, &target.reader, &mut printer)?;
            if over && !printed {
                break;
            }
            if !over {
                std::thread::sleep(LOOK_AGAIN);
            }
        }
        printer.finish();
        Ok(Exit::Success)
    }

    /// Prints what is there; tells whether anything was.
    fn print(&self, book: &mut Book, reader: &Reader, printer: &mut Printer) -> Result<bool, Failure> {
        let mut any = false;
        while let Some((path, frame)) = book.next(reader)? {
            any = true;
            let wanted = self.task.as_ref().is_none_or(|task| is_part(&path, task))
                && self.attempt.is_none_or(|attempt| attempt == frame.head.number);
            if wanted && printer.print(&path, &frame).is_err() {
                // Whoever has closed the other end has seen enough.
                return Ok(false);
            }
        }
        Ok(any)
    }
}

fn has_ended(target: &Target) -> Result<bool, Failure> {
    Ok(target.reader.run(target.run.id)?.is_none_or(|run| run.state.is_ended()))
}

/// Whether the task is the wanted one or a part of it.
fn is_part(path: &str, wanted: &str) -> bool {
    path.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(['[', '/', '#']))
}

/// The logs of a run and its sub-runs.
struct Book {
    dir: PathBuf,
    root: RunId,
    /// The definition names sub-flows: more logs may come.
    nested: bool,
    volumes: Vec<Volume>,
}

/// The log of one run.
struct Volume {
    run: RunId,
    path: PathBuf,
    /// What stands before the names of its tasks.
    prefix: String,
    log: Option<LogReader>,
    next: Option<Frame>,
    names: HashMap<TaskSeq, String>,
}

impl Book {
    fn open(target: &Target) -> Result<Book, Failure> {
        let dir = target.state.join("runs");
        let root = target.run.id;
        let mut book =
            Book { volumes: vec![Volume::new(&dir, root, String::new())], dir, root, nested: false };
        book.nested = !target.reader.children(root)?.is_empty();
        book.find_nested(&target.reader, 0)?;
        Ok(book)
    }

    /// Sub-runs that are not known yet, from this volume on.
    fn find_nested(&mut self, reader: &Reader, from: usize) -> Result<(), Failure> {
        let mut at = from;
        while at < self.volumes.len() {
            let (run, prefix) = (self.volumes[at].run, self.volumes[at].prefix.clone());
            for child in reader.children(run)? {
                let known = self.volumes.iter().any(|volume| volume.run == child.id);
                if let Some(parent) = child.parent.filter(|_| !known) {
                    let name = self.volumes[at].name(reader, parent.task)?;
                    self.volumes.push(Volume::new(&self.dir, child.id, format!("{prefix}{name}/")));
                }
            }
            at += 1;
        }
        Ok(())
    }

    /// Whether `wanted` is one task; it is an error if there is nothing of this name and nothing can come.
    fn check(&mut self, reader: &Reader, wanted: &str, may_come: bool) -> Result<bool, Failure> {
        let mut paths = Vec::new();
        for volume in &self.volumes {
            for task in reader.tasks(volume.run)? {
                paths.push(format!("{}{}", volume.prefix, task.path));
            }
        }
        let found = paths.iter().filter(|path| is_part(path, wanted)).count();
        if found == 0 && !may_come {
            let number = self.root.number();
            let message = format!("run {number} has no task `{wanted}` that has begun");
            return Err(match did_you_mean(wanted, paths.iter().map(String::as_str)) {
                Some(near) => Failure::refused(message, format!("did you mean `{near}`?")),
                None => Failure::refused(message, format!("`partitur show {number}` lists them")),
            });
        }
        Ok(found <= 1)
    }

    /// The next frame in time, over all logs, if there is one yet.
    fn next(&mut self, reader: &Reader) -> Result<Option<(String, Frame)>, Failure> {
        for volume in &mut self.volumes {
            volume.fill()?;
        }
        let first = (0..self.volumes.len())
            .filter_map(|at| Some((self.volumes[at].next.as_ref()?.head.time, at)))
            .min()
            .map(|(_, at)| at);
        let Some(at) = first else {
            self.find_nested(reader, 0)?;
            return Ok(None);
        };
        let volume = &mut self.volumes[at];
        let frame = volume.next.take().expect("it was there a moment ago");
        let name = volume.name(reader, frame.head.task)?;
        Ok(Some((format!("{}{name}", volume.prefix), frame)))
    }
}

impl Volume {
    fn new(dir: &Path, run: RunId, prefix: String) -> Volume {
        let path = dir.join(format!("{}.log", run.number()));
        Volume { run, path, prefix, log: None, next: None, names: HashMap::new() }
    }

    fn fill(&mut self) -> Result<(), Failure> {
        if self.next.is_some() {
            return Ok(());
        }
        let unreadable = |error| Failure::Io { what: format!("cannot read {}", self.path.display()), error };
        if self.log.is_none() {
            match LogReader::open(&self.path) {
                Ok(log) => self.log = Some(log),
                // A run without output so far.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(unreadable(error)),
            }
        }
        let log = self.log.as_mut().expect("opened above");
        self.next = log.next_frame().map_err(unreadable)?;
        Ok(())
    }

    fn name(&mut self, reader: &Reader, task: TaskSeq) -> Result<String, Failure> {
        if !self.names.contains_key(&task) {
            let tasks = reader.tasks(self.run)?;
            self.names.extend(tasks.into_iter().map(|task| (task.seq, task.path.to_string())));
        }
        Ok(self.names.get(&task).cloned().unwrap_or_else(|| format!("task {}", task.0)))
    }
}

/// Prints frames: as they are, or line by line with names in front.
struct Printer {
    only_one: bool,
    out: io::Stdout,
    /// For people: notes of ours are dim.
    dim: bool,
    /// Beginnings of lines.
    open: HashMap<(String, Stream), Vec<u8>>,
}

impl Printer {
    fn new() -> Printer {
        let out = io::stdout();
        Printer { only_one: false, dim: out.is_terminal(), out, open: HashMap::new() }
    }

    fn print(&mut self, path: &str, frame: &Frame) -> io::Result<()> {
        let mut out = self.out.lock();
        if frame.head.stream == Stream::Note {
            let text = String::from_utf8_lossy(&frame.bytes);
            let (dim, end) = if self.dim { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
            for line in text.lines() {
                writeln!(out, "{dim}{path} * {line}{end}")?;
            }
            return Ok(());
        }
        if self.only_one {
            out.write_all(&frame.bytes)?;
            return out.flush();
        }
        let open = self.open.entry((path.to_owned(), frame.head.stream)).or_default();
        open.extend_from_slice(&frame.bytes);
        let Some(end) = open.iter().rposition(|&byte| byte == b'\n') else { return Ok(()) };
        let rest = open.split_off(end + 1);
        let lines = std::mem::replace(open, rest);
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            write!(out, "{path} | ")?;
            out.write_all(line)?;
        }
        Ok(())
    }

    /// Lines without an end.
    fn finish(&mut self) {
        let mut out = self.out.lock();
        let mut rest: Vec<_> = self.open.drain().filter(|(_, line)| !line.is_empty()).collect();
        rest.sort();
        for ((path, _), line) in rest {
            let _ = write!(out, "{path} | ").and_then(|()| out.write_all(&line)).and_then(|()| writeln!(out));
        }
    }
}
