//! Fills in the values of an attempt: from templates to a dispatch.

use std::collections::BTreeSet;

use partitur_expr::{Lookup, Template};
use partitur_model::dispatch::{
    BuildRequest, CacheRequest, Dispatch, GrantedClaim, HttpCall, Process, Ready, Service, Work,
};
use partitur_model::record::{TaskError, TaskRecord};
use partitur_model::{AttemptId, RunId, TaskSeq};

use crate::attempt::lease;
use crate::program::{Action, CommandTemplate, ProgramNode, ReadyTemplate, ServiceTemplate, WorkTemplate};
use crate::run::{Key, Run, View};

/// Everything that an attempt needs to know.
pub(crate) fn dispatch(
    run: &Run,
    key: Key,
    record: &TaskRecord,
    attempt: AttemptId,
    number: u32,
    undo: bool,
) -> Result<Dispatch, TaskError> {
    let node = run.node(key);
    let seen = TaskRecord { output: if undo { Some(run.output_of(key)) } else { None }, ..record.clone() };
    let view = View::with(run, key, &seen);
    let template = template_of(node, undo)?;
    let mut env = texts(&run.program.env, &view);
    let round = record.served.as_ref().map_or(1, |served| served.polls);
    let work = fill(template, &view, &mut env, round)?;
    let cache = if undo { None } else { cache_request(run, key, node, &work, &env, &view) };
    let build = if undo { None } else { build_request(run, key, node, &work, &view) };
    let declared = declared_claims(run, node, &view);
    let mut reads: Vec<String> = node.reads.iter().map(|path| path.resolve_text(&view)).collect();
    // What they say is as much a part of an execution as any file that it reads.
    reads.extend_from_slice(env_files(&work));
    Ok(Dispatch {
        attempt,
        number,
        path: record.path.clone(),
        work,
        undo,
        claims: declared,
        secrets: node.spec.secrets.clone(),
        env,
        cache,
        build,
        reads,
        writes: node.writes.iter().map(|path| path.resolve_text(&view)).collect(),
        heartbeat: if undo { None } else { lease(node) },
        heartbeat_by_child: node.spec.timeouts.heartbeat.is_some(),
        agent: node.agent.as_ref().map(|agent| agent.resolve_text(&view)),
    })
}

fn env_files(work: &Work) -> &[String] {
    match work {
        Work::Process(process) => &process.env_files,
        Work::Http(_) | Work::Remote { .. } | Work::AwaitFile { .. } => &[],
    }
}

fn template_of(node: &ProgramNode, undo: bool) -> Result<&WorkTemplate, TaskError> {
    let missing = || TaskError::terminal("internal", "there is nothing to execute");
    if undo {
        return node.undo.as_ref().map(|undo| &undo.work).ok_or_else(missing);
    }
    match &node.action {
        Action::Attempt(work) => Ok(work),
        Action::Wait(_)
        | Action::Evaluate(_)
        | Action::SubRun { .. }
        | Action::Start(_)
        | Action::Expand(_)
        | Action::Each(_)
        | Action::Loop(_)
        | Action::Switch { .. }
        | Action::Join(_)
        | Action::Terminate { .. }
        | Action::SetVariables(_)
        | Action::Noop => Err(missing()),
    }
}

fn fill(
    template: &WorkTemplate,
    view: &View<'_>,
    env: &mut Vec<(String, String)>,
    round: u32,
) -> Result<Work, TaskError> {
    Ok(match template {
        WorkTemplate::Direct { argv, command } => {
            let argv = argv.iter().map(|word| word.resolve_text(view)).collect();
            Work::Process(process(argv, command, view, env)?)
        }
        WorkTemplate::Shell { shell, script, vars, command } => {
            let argv = shell.iter().cloned().chain([script.clone()]).collect();
            let process = process(argv, command, view, env)?;
            env.extend(texts(vars, view));
            Work::Process(process)
        }
        WorkTemplate::Http { method, url, headers, body } => Work::Http(HttpCall {
            method: method.clone(),
            url: url.resolve_text(view),
            headers: texts(headers, view),
            body: body.as_ref().map(|body| body.resolve(view)),
        }),
        WorkTemplate::Remote(remote) => Work::Remote {
            task_type: remote.task_type.to_string(),
            input: view.given().unwrap_or_else(|| remote.input.resolve(view)),
            round: round.max(1),
        },
        WorkTemplate::AwaitFile { path } => Work::AwaitFile { path: path.resolve_text(view) },
    })
}

fn process(
    argv: Vec<String>,
    command: &CommandTemplate,
    view: &View<'_>,
    env: &mut Vec<(String, String)>,
) -> Result<Process, TaskError> {
    env.extend(texts(&command.env, view));
    // The kernel ends strings at a NUL: what follows it would be lost without a word.
    if let Some(word) = argv.iter().find(|word| word.contains('\0')) {
        let message = format!("an argument contains a NUL byte: {word:?}");
        return Err(TaskError::terminal("bad-argument", message));
    }
    Ok(Process {
        argv,
        dir: command.dir.as_ref().map(|dir| dir.resolve_text(view)),
        env_files: command.env_files.iter().map(|file| file.resolve_text(view)).collect(),
        stdin: command.stdin.as_ref().map(|stdin| stdin.resolve_text(view)),
        output: command.output,
        clean_env: command.clean_env,
        service: command.service.as_ref().map(|service| Box::new(filled_service(service, view))),
    })
}

fn filled_service(service: &ServiceTemplate, view: &View<'_>) -> Service {
    let ready = match &service.ready {
        ReadyTemplate::Started => Ready::Started,
        ReadyTemplate::Port(port) => Ready::Port(port.resolve_text(view)),
        ReadyTemplate::Http(url) => Ready::Http(url.resolve_text(view)),
        ReadyTemplate::Line(text) => Ready::Line(text.clone()),
        ReadyTemplate::Direct(argv) => {
            let argv = argv.iter().map(|word| word.resolve_text(view)).collect();
            Ready::Command { argv, env: Vec::new() }
        }
        ReadyTemplate::Shell { argv, vars } => Ready::Command { argv: argv.clone(), env: texts(vars, view) },
    };
    Service { ready, every: service.every, grace: service.grace }
}

fn texts(templates: &[(String, Template)], view: &dyn Lookup) -> Vec<(String, String)> {
    templates.iter().map(|(name, value)| (name.clone(), value.resolve_text(view))).collect()
}

fn declared_claims(run: &Run, node: &ProgramNode, view: &View<'_>) -> Vec<GrantedClaim> {
    let dir = run.rec.options.labels.iter().find(|(name, _)| name == "dir").map_or("/", |(_, dir)| dir);
    node.claims
        .iter()
        .map(|claim| GrantedClaim {
            resource: resource_name(&claim.resource.resolve_text(view), dir),
            mode: claim.mode,
            units: claim.units,
        })
        .collect()
}

/// The declared key, or all that the result can depend on beside the files read: what is executed, the declared
/// environment, and the results of the predecessors.
fn cache_request(
    run: &Run,
    key: Key,
    node: &ProgramNode,
    work: &Work,
    env: &[(String, String)],
    view: &View<'_>,
) -> Option<CacheRequest> {
    // Results of runs of a server serve from memory, before an attempt is made.
    let cache = node.spec.cache.as_ref().filter(|_| !run.serves() && node.service().is_none())?;
    let material = match &node.cache_key {
        Some(declared) => format!("key {}", declared.resolve_text(view)),
        None => {
            let body = &run.scope(key.scope).graph;
            let results: Vec<String> = body
                .predecessors
                .successors(key.node)
                .iter()
                .map(|&source| run.output_of(Key { scope: key.scope, node: source }).render())
                .collect();
            format!("work {work:?} env {env:?} results {results:?}")
        }
    };
    Some(CacheRequest { ttl: cache.ttl, material })
}

/// What a process that declares what it reads and writes follows from, beside these files.
fn build_request(
    run: &Run,
    key: Key,
    node: &ProgramNode,
    work: &Work,
    view: &View<'_>,
) -> Option<BuildRequest> {
    // A service is there for others, whatever has changed.
    let is_process = matches!(work, Work::Process(process) if process.service.is_none());
    let declares = !node.reads.is_empty() && !node.writes.is_empty();
    if !is_process || !declares || node.spec.is_always_executed || run.serves() {
        return None;
    }
    let declared = node.cache_key.as_ref().map(|declared| declared.resolve_text(view));
    let mut sources = BTreeSet::new();
    if declared.is_none() {
        influences(run, key, &mut sources);
    }
    let result = |source: &Key| {
        let path = run.task(*source)?.path.clone();
        Some((path, run.output_of(*source).render()))
    };
    Some(BuildRequest {
        ttl: node.spec.cache.as_ref().map(|cache| cache.ttl),
        key: declared,
        results: sources.iter().filter_map(result).collect(),
    })
}

/// The tasks before this one: its own predecessors and those of the containers around it. What does nothing stands for
/// those before it.
fn influences(run: &Run, key: Key, found: &mut BTreeSet<Key>) {
    let mut inner = Some(key);
    while let Some(key) = inner {
        predecessors(run, key, found);
        inner = run.scope(key.scope).container.map(|(container, _)| container);
    }
}

fn predecessors(run: &Run, key: Key, found: &mut BTreeSet<Key>) {
    for &node in run.scope(key.scope).graph.predecessors.successors(key.node) {
        let source = Key { scope: key.scope, node };
        if found.insert(source) && matches!(run.node(source).action, Action::Noop) {
            predecessors(run, source, found);
        }
    }
}

/// The name under which a resource is known to all runs: paths become absolute and free of `.` and `..`.
///
/// Links are not followed: that would take a look at the disk.
pub(crate) fn resource_name(declared: &str, dir: &str) -> String {
    for kind in ["file:", "dir:"] {
        if let Some(path) = declared.strip_prefix(kind) {
            return format!("{kind}{}", absolute(path, dir));
        }
    }
    partitur_graph::normal_name(declared).map_or_else(|_| declared.to_owned(), |name| name.into_owned())
}

fn absolute(path: &str, dir: &str) -> String {
    let joined = if path.starts_with('/') { path.to_owned() } else { format!("{dir}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The resource that bounds the attempts of one run.
pub(crate) fn run_slots(run: RunId) -> String {
    format!("slots/{}", run.number())
}

/// The resource that bounds the branches of one container.
pub(crate) fn container_slots(run: RunId, container: TaskSeq) -> String {
    format!("slots/{}/{}", run.number(), container.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_resources_are_absolute_and_plain() {
        assert_eq!(resource_name("file:a/../b/./c", "/home/x"), "file:/home/x/b/c");
        assert_eq!(resource_name("dir:/srv//data/", "/home/x"), "dir:/srv/data");
        assert_eq!(resource_name("file:../../../../etc", "/home/x"), "file:/etc");
        assert_eq!(resource_name("service:billing", "/home/x"), "service:billing");
        assert_eq!(resource_name("git-ref:refs/heads/main", "/home/x"), "git-ref:main");
    }
}
