// What the programs share: the clients, definitions with names of their own, workers by hand, and ways to wait.
//
// A program is a file in `programs/`. It takes `test` from `program(import.meta.url)`; each test arranges, acts and
// asserts. Every definition gets a name that no other has, so that all programs may use one server at the same time.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export { assert, sleep };
export const equal = assert.deepEqual;

// The client is installed below the target directory, where an import from here would not look.
export const sdk = createRequire(`${process.env.CONFORMANCE_SDK}/`)("@io-orkes/conductor-javascript");

export const API = process.env.CONDUCTOR_SERVER_URL;
export const logger = sdk.noopLogger;
export const clients = await sdk.OrkesClients.from({ serverUrl: API, logger });
export const client = clients.getClient();
export const executor = clients.getWorkflowClient();
export const metadata = clients.getMetadataClient();
export const tasks = clients.getTaskClient();
export const schedules = clients.getSchedulerClient();
export const events = clients.getEventClient();

/** Milliseconds. What takes longer on any machine is stuck. */
const PATIENCE = 1000 * Number(process.env.CONFORMANCE_PATIENCE ?? 30);

// Programs

export const CASES = [];

/** The function that notes the tests of a program. */
export function program(url) {
  const name = fileURLToPath(url).match(/(\w+)\.mjs$/)[1];
  const test = (what, run) => CASES.push({ program: name, what, run });
  /** Marks a case that Conductor passes and Partitur does not yet: it must fail, so that nobody forgets it here. */
  test.fixme = (why, what, run) => CASES.push({ program: name, what, run, fixme: why });
  /** A case of what the clients know and Conductor does not have: nothing to be compared with there. */
  test.beyond = (what, run) => CASES.push({ program: name, what, run, beyond: true });
  return test;
}

// Definitions

export const unique = (name) => `${name}_${randomUUID().slice(0, 8)}`;

/** Registers a task definition, without retries unless told; gives its name. */
export async function taskDef(name = "task", fields = {}) {
  const settings = { retryCount: 0, retryDelaySeconds: 0, timeoutSeconds: 0, responseTimeoutSeconds: 600 };
  const definition = sdk.taskDefinition({ name: unique(name), ...settings, pollTimeoutSeconds: 0, ...fields });
  await metadata.registerTask(definition);
  return definition.name;
}

/** A workflow of builders of the client, which has a name of its own. */
export function flowOf(...tasks) {
  const flow = new sdk.ConductorWorkflow(executor, unique("flow")).timeoutSeconds(0).ownerEmail("test@example.com");
  return flow.add(tasks.flat());
}

/** The same, registered; gives its name. */
export async function define(...tasks) {
  const flow = flowOf(...tasks);
  await flow.register();
  return flow.getName();
}

export const noop = (ref) => ({ name: ref, taskReferenceName: ref, type: "NOOP", inputParameters: {} });

// Runs

export const start = (name, input = {}, request = {}) => executor.startWorkflow({ name, input, ...request });
export const runOf = (id) => executor.getWorkflow(id, true);

const ENDED = ["COMPLETED", "FAILED", "TERMINATED", "TIMED_OUT"];

/** The run when it has ended, and with which status it must have. */
export async function ended(id, status = "COMPLETED") {
  const run = await eventually(`the end of ${id}`, async () => {
    const found = await runOf(id);
    return ENDED.includes(found.status) && found;
  });
  assert.equal(run.status, status, `${run.status}: ${run.reasonForIncompletion}\n${table(run)}`);
  return run;
}

/** Defines, starts and awaits the end. */
export async function executed(tasks, input = {}, status = "COMPLETED") {
  return ended(await start(await define(...tasks), input), status);
}

/** The latest task of that reference name. */
export function taskOf(run, ref) {
  const found = run.tasks.findLast((task) => task.referenceTaskName === ref);
  assert(found, `${ref} is not among\n${table(run)}`);
  return found;
}

export const output = (run, ref) => taskOf(run, ref).outputData;

/** A line for each task: reference name and status. */
export const table = (run) => run.tasks.map((task) => `${task.referenceTaskName} ${task.status}`).join("\n");

/** The run when that task has that status. */
export function reached(id, ref, status) {
  return eventually(`${ref} ${status}`, async () => {
    const run = await runOf(id);
    return run.tasks.findLast((task) => task.referenceTaskName === ref)?.status === status && run;
  });
}

// Workers by hand

/** The next task of that name, as soon as there is one. */
export function polled(name) {
  return eventually(`a task for ${name}`, async () => {
    const answer = await ask("GET", `/tasks/poll/${name}?workerid=by-hand`);
    return answer.status === 200 && answer.json();
  });
}

/** Takes the next task of that name and reports its end through the client; gives the task as it was taken. */
export async function work(name, status = "COMPLETED", outputData = {}) {
  const taken = await polled(name);
  await executor.updateTask(taken.taskId, taken.workflowInstanceId, status, outputData);
  return taken;
}

/** What the server says there, where the client has no method or hides the status. */
export async function ask(method, path, body) {
  const headers = { "content-type": "application/json" };
  return fetch(API + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
}

// Workers of the client

/** Lets the client's workers run while `act` does; a worker is a map of task name to function. */
export async function withWorkers(workers, act, options = {}) {
  const list = Object.entries(workers).map(([taskDefName, execute]) => ({ taskDefName, execute }));
  const manager = new sdk.TaskManager(client, list, { logger, options: { pollInterval: 20, ...options } });
  manager.startPolling();
  try {
    return await act(manager);
  } finally {
    await manager.stopPolling();
  }
}

// Others

/** A server that answers what it was asked, for as long as `act` runs; `answers` may say otherwise for a path. */
export async function withTarget(act, answers = {}) {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    const { method, url, headers } = request;
    const [status, said] = answers[url]?.() ?? [200, { method, url, headers, body: body ? JSON.parse(body) : null }];
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(said));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await act(`http://127.0.0.1:${server.address().port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

// Waiting and refusing

/** What `look` gives, as soon as it gives something. */
export async function eventually(what, look) {
  const until = Date.now() + PATIENCE;
  for (;;) {
    const found = await look();
    if (found) return found;
    assert(Date.now() < until, `waited in vain for ${what}`);
    await sleep(20);
  }
}

/** The message with which the call is refused, as it must be. */
export async function refused(call) {
  let given;
  try {
    given = await call;
  } catch (error) {
    return error.message;
  }
  assert.fail(`not refused: ${JSON.stringify(given)}`);
}
