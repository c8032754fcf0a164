//! A document as a whole: its files, its definition, what is wrong with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use partitur_model::definition::Definition;
use partitur_model::id::DefinitionId;
use partitur_model::record::{DefinitionRecord, SourceFile, SourceFormat};
use partitur_model::{Fault, Place, Severity};

use crate::flows::FlowUse;
use crate::places::Places;
use crate::reader::{At, Reader};
use crate::tree::{Budget, Span, Tree};
use crate::yaml::Unreadable;
use crate::{codes, json, kind, native, nodes_edges, yaml};

/// A document that may be run.
pub struct Document {
    /// What is to be done.
    pub definition: Arc<Definition>,
    /// Which reader understood the main file.
    pub format: SourceFormat,
    /// Where everything stands.
    pub places: Places,
    /// The main file first, then the sub-flows, with paths relative to the main file's directory.
    pub files: Vec<SourceFile>,
    /// What the author should know.
    pub warnings: Vec<Fault>,
}

/// Everything that is wrong with a document that may not be run.
pub struct Faults {
    /// In the order of the text, file by file.
    pub faults: Vec<Fault>,
    /// Where everything stands.
    pub places: Places,
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::render(&self.faults, &self.places, false))
    }
}

impl std::fmt::Debug for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("definition", &self.definition)
            .field("warnings", &self.warnings)
            .finish()
    }
}

/// Which reader a file needs: by its name, and for JSON by its keys.
///
/// # Errors
/// The name does not end in `.yaml`, `.yml` or `.json`.
pub fn detect(path: &str, text: &[u8]) -> Result<SourceFormat, Fault> {
    let extension =
        path.rsplit('/').next().unwrap_or(path).rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "yaml" | "yml" => Ok(SourceFormat::Yaml),
        "json" => Ok(kind::of_json(text)),
        _ => Err(Fault::error(codes::FORMAT, Place::root(), "the file's name does not say what it is")
            .hint("name it `….yaml`, `….yml` or `….json`")),
    }
}

/// Reads a document and the sub-flows it names, which come from `resolve`, by their paths relative to the directory of
/// `path`.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn read(
    path: &str,
    bytes: &[u8],
    resolve: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
) -> Result<Document, Faults> {
    read_within(path, bytes, Budget::default(), resolve)
}

/// As [`read`], with a budget of one's own.
///
/// # Errors
/// Everything that is wrong, at once.
pub fn read_within(
    path: &str,
    bytes: &[u8],
    budget: Budget,
    resolve: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
) -> Result<Document, Faults> {
    let (directory, name) = path.rsplit_once('/').map_or(("", path), |(directory, name)| (directory, name));
    let directory =
        if directory.is_empty() && !path.starts_with('/') { String::new() } else { format!("{directory}/") };
    Assembly { directory, budget, ..Assembly::default() }.run(name, bytes, resolve)
}

/// The places of a document that another reader understands, and its text: definitions of Conductor's.
///
/// # Errors
/// It is no text, no JSON, or larger than a document may be.
pub fn places(path: &str, bytes: &[u8]) -> Result<(Places, Arc<str>), Faults> {
    let mut places = Places::default();
    match Assembly::default().parse(path, bytes) {
        Ok((tree, _)) => {
            let text = tree.source().clone();
            places.add_file("", path, tree);
            Ok((places, text))
        }
        Err((Unreadable { mut fault, span }, text)) => {
            fault.place = Place::root();
            places.mark(fault.code, Place::root(), span);
            places.add_file("", path, Tree::empty(text));
            Err(Faults { faults: vec![fault], places })
        }
    }
}

/// Reads a document again from its record.
///
/// # Errors
/// What a newer reader finds wrong with it.
pub fn read_record(record: &DefinitionRecord) -> Result<Document, Faults> {
    let Some(main) = record.files.first() else {
        let fault = Fault::error(codes::EMPTY, Place::root(), "the record holds no file");
        return Err(Faults { faults: vec![fault], places: Places::default() });
    };
    read(&main.path, main.text.as_bytes(), &mut |path| {
        let file = record.files.iter().find(|file| file.path == path);
        file.map(|file| file.text.as_bytes().to_vec()).ok_or_else(|| "it is not in the record".to_owned())
    })
}

/// The document as it is stored: equal files have equal ids.
pub fn definition_record(document: &Document) -> DefinitionRecord {
    let mut hash = blake3::Hasher::new();
    hash.update(match document.format {
        SourceFormat::Yaml => b"yaml",
        SourceFormat::Json => b"json",
        SourceFormat::NodesEdges => b"n+e\0",
        SourceFormat::Conductor => b"cond",
    });
    for file in &document.files {
        for part in [file.path.as_bytes(), file.text.as_bytes()] {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    let mut first = [0; 16];
    first.copy_from_slice(&hash.finalize().as_bytes()[..16]);
    DefinitionRecord {
        id: DefinitionId(u128::from_be_bytes(first)),
        name: document.definition.name.clone(),
        format: document.format,
        files: document.files.clone(),
    }
}

/// A document and its sub-flows have no more files.
const FLOWS_MAX: usize = 200;

/// Reads file after file, depth first.
#[derive(Default)]
struct Assembly {
    /// For people: stands before the paths of all files.
    directory: String,
    budget: Budget,
    places: Places,
    faults: Vec<Fault>,
    files: Vec<SourceFile>,
    /// The files that are being read: each names the next.
    stack: Vec<String>,
    /// The sub-flows that have been asked for.
    tried: Vec<String>,
    flows: BTreeMap<String, Arc<Definition>>,
}

/// What one file gave.
struct FileRead {
    definition: Definition,
    uses: Vec<FlowUse>,
    format: SourceFormat,
}

impl Assembly {
    fn run(
        mut self,
        name: &str,
        bytes: &[u8],
        resolve: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
    ) -> Result<Document, Faults> {
        let read = self.read_file(name, "", bytes);
        let Some(FileRead { mut definition, uses, format }) = read else {
            return Err(Faults { faults: self.faults, places: self.places });
        };
        self.stack.push(name.to_owned());
        self.read_flows(uses, resolve);
        let (errors, warnings): (Vec<_>, Vec<_>) =
            self.faults.into_iter().partition(|fault| fault.severity == Severity::Error);
        if !errors.is_empty() {
            let faults = errors.into_iter().chain(warnings).collect();
            return Err(Faults { faults, places: self.places });
        }
        definition.flows = self.flows;
        Ok(Document {
            definition: Arc::new(definition),
            format,
            places: self.places,
            files: self.files,
            warnings,
        })
    }

    fn read_flows(&mut self, uses: Vec<FlowUse>, resolve: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>) {
        for flow in uses {
            if self.tried.len() > FLOWS_MAX {
                return;
            }
            self.read_flow(flow, resolve);
        }
    }

    fn read_flow(&mut self, flow: FlowUse, resolve: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>) {
        if let Some(at) = self.stack.iter().position(|open| *open == flow.path) {
            let cycle: Vec<&str> =
                self.stack[at..].iter().map(String::as_str).chain([flow.path.as_str()]).collect();
            let message = format!("the sub-flow contains itself: {}", cycle.join(" → "));
            self.faults.push(Fault::error(codes::FLOW_CYCLE, flow.place, message).label("leads back"));
            return;
        }
        if self.tried.contains(&flow.path) {
            return;
        }
        self.tried.push(flow.path.clone());
        if self.tried.len() > FLOWS_MAX {
            let message = format!("there are more than {FLOWS_MAX} sub-flows");
            self.faults.push(Fault::error(codes::BUDGET, flow.place, message).label("one too many"));
            return;
        }
        let bytes = match resolve(&flow.path) {
            Ok(bytes) => bytes,
            Err(why) => {
                let message = format!("the sub-flow `{}` cannot be read: {why}", flow.path);
                self.faults
                    .push(Fault::error(codes::FLOW_UNREADABLE, flow.place, message).label("this file"));
                return;
            }
        };
        if let Some(FileRead { definition, uses, .. }) = self.read_file(&flow.path, &flow.path, &bytes) {
            self.stack.push(flow.path.clone());
            self.read_flows(uses, resolve);
            self.stack.pop();
            self.flows.insert(flow.path, Arc::new(definition));
        }
    }

    /// Reads one file. `prefix` stands before `#` in its places.
    fn read_file(&mut self, path: &str, prefix: &str, bytes: &[u8]) -> Option<FileRead> {
        let shown = format!("{}{path}", self.directory);
        let root = if prefix.is_empty() { Place::root() } else { Place(format!("{prefix}#")) };
        let (tree, format) = match self.parse(path, bytes) {
            Ok((tree, format)) => (tree, format),
            Err((Unreadable { mut fault, span }, text)) => {
                fault.place = root.clone();
                self.places.mark(fault.code, root, span);
                self.places.add_file(prefix, &shown, Tree::empty(text));
                self.faults.push(fault);
                return None;
            }
        };
        if format == SourceFormat::Conductor {
            let message = "this is a definition of Conductor's, which is no part of a document";
            self.faults.push(
                Fault::error(codes::FORMAT, root, message)
                    .hint("run it by itself (`partitur run FILE`), or give it to a server"),
            );
            self.places.add_file(prefix, &shown, tree);
            return None;
        }
        self.files.push(SourceFile { path: path.to_owned(), text: tree.source().clone() });
        let read = read_tree(&tree, path, prefix, format);
        for (code, place, span) in read.marks {
            self.places.mark(code, place, span);
        }
        self.places.add_file(prefix, &shown, tree);
        self.take_faults(read.faults, read.untold, root);
        read.definition.map(|definition| FileRead { definition, uses: read.uses, format })
    }

    /// Takes the faults of a file, in the order of its text.
    fn take_faults(&mut self, mut faults: Vec<Fault>, untold: usize, root: Place) {
        faults.sort_by_cached_key(|fault| self.places.locate_fault(fault).map(|at| at.span.start));
        self.faults.extend(faults);
        if untold > 0 {
            let message = format!("there are {untold} further faults");
            self.faults.push(Fault::error(codes::BUDGET, root, message).label("in this file"));
        }
    }

    fn parse(&self, path: &str, bytes: &[u8]) -> Result<(Tree, SourceFormat), (Unreadable, Arc<str>)> {
        let nothing = || Arc::<str>::from("");
        let start = Span::default();
        if bytes.len() > self.budget.bytes_max {
            let message =
                format!("the file has {} bytes; {} are allowed", bytes.len(), self.budget.bytes_max);
            return Err((Unreadable::new(codes::BUDGET, start, message).label("too large"), nothing()));
        }
        let text = decode(bytes).map_err(|why| (why, nothing()))?;
        let format =
            detect(path, text.as_bytes()).map_err(|fault| (Unreadable { fault, span: start }, nothing()))?;
        let text: Arc<str> = text.into();
        let tree = match format {
            SourceFormat::Yaml => yaml::parse(text.clone(), self.budget),
            SourceFormat::Json | SourceFormat::NodesEdges | SourceFormat::Conductor => {
                json::parse(text.clone(), self.budget)
            }
        };
        tree.map(|tree| (tree, format)).map_err(|why| (why, text))
    }
}

/// The text of a file: UTF-8, with or without its mark at the beginning, without NUL.
pub(crate) fn decode(bytes: &[u8]) -> Result<&str, Unreadable> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let refuse = |message: String| Unreadable::new(codes::ENCODING, Span::default(), message);
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(refuse("the file is in UTF-16".to_owned()).hint("save it as UTF-8"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() + 1;
        refuse(format!("the file is no UTF-8: a wrong byte in line {line}")).hint("save it as UTF-8")
    })?;
    match text.find('\0') {
        Some(at) => {
            let line = text[..at].bytes().filter(|&byte| byte == b'\n').count() + 1;
            Err(refuse(format!("the file holds a NUL in line {line}"))
                .hint("remove it; is this a text file?"))
        }
        None => Ok(text),
    }
}

/// What a reader made of a tree.
struct TreeRead {
    definition: Option<Definition>,
    uses: Vec<FlowUse>,
    faults: Vec<Fault>,
    untold: usize,
    marks: Vec<(&'static str, Place, Span)>,
}

fn read_tree(tree: &Tree, path: &str, prefix: &str, format: SourceFormat) -> TreeRead {
    let mut reader = Reader::new(tree, path);
    let definition = match tree.root() {
        Some(root) => {
            let at = At::file(root, prefix);
            if reader.is_null(at) {
                empty_document(&mut reader, at.place())
            } else {
                Some(match format {
                    // Conductor's definitions have a reader of their own; none gets here.
                    SourceFormat::Yaml | SourceFormat::Json | SourceFormat::Conductor => {
                        native::read_document(&mut reader, at)
                    }
                    SourceFormat::NodesEdges => nodes_edges::read_document(&mut reader, at),
                })
            }
        }
        None => empty_document(
            &mut reader,
            if prefix.is_empty() { Place::root() } else { Place(format!("{prefix}#")) },
        ),
    };
    let definition = definition.map(|mut definition| {
        if definition.name.is_empty() {
            let file = path.rsplit('/').next().unwrap_or(path);
            definition.name = file.rsplit_once('.').map_or(file, |(stem, _)| stem).to_owned();
        }
        definition
    });
    let Reader { faults, untold, marks, uses, .. } = reader;
    TreeRead { definition, uses, faults, untold, marks }
}

fn empty_document(reader: &mut Reader<'_>, place: Place) -> Option<Definition> {
    let fault = Fault::error(codes::EMPTY, place, "the document is empty");
    reader.fault(fault.hint("begin with `tasks:`, for example `tasks: { hello: { run: echo hello } }`"));
    None
}
