// Pause, resume, retry, restart, rerun, skip, terminate, remove; on one run, and on many at once.

import { assert, client, define, ended, equal, executor, program, reached, refused, runOf, sdk } from "../lib.mjs";
import { start, table, taskDef, taskOf, unique, work } from "../lib.mjs";

const test = program(import.meta.url);
const { simpleTask } = sdk;

async function twoSteps() {
  const name = await taskDef();
  return [name, await define(simpleTask("a", name, {}), simpleTask("b", name, { fromA: "${a.output.n}" }))];
}

test("a paused run gives out no new task", async () => {
  const [name, flow] = await twoSteps();
  const run = await start(flow);
  await executor.pause(run);
  equal((await runOf(run)).status, "PAUSED");
  await work(name);
  equal(table(await runOf(run)), "a COMPLETED");
  await executor.resume(run);
  await work(name);
  await ended(run);
});

test("what does not fit is refused", async () => {
  const [name, flow] = await twoSteps();
  const run = await start(flow);
  await refused(executor.resume(run));
  await refused(executor.restart(run, false));
  await refused(executor.skipTasksFromWorkflow(run, "none", {}));
  await work(name);
  await work(name);
  await ended(run);
  await refused(executor.retry(run, false));
  await refused(executor.terminate(run, "too late"));
  await refused(executor.getWorkflow(unique("nowhere"), true));
});

test("retry goes on after the failure", async () => {
  const [name, flow] = await twoSteps();
  const run = await start(flow);
  await work(name, "COMPLETED", { n: 1 });
  await work(name, "FAILED");
  await ended(run, "FAILED");
  await executor.retry(run, false);
  const again = await work(name);
  equal([again.referenceTaskName, again.retryCount, again.inputData], ["b", 1, { fromA: 1 }]);
  const done = await ended(run);
  equal(table(done), "a COMPLETED\nb FAILED\nb COMPLETED");
  equal(done.tasks[2].retriedTaskId, done.tasks[1].taskId);
});

test("retry within a sub-workflow goes on where it failed", async () => {
  const name = await taskDef();
  const child = await define(simpleTask("x", name, {}), simpleTask("y", name, {}));
  const run = await start(await define(sdk.subWorkflowTask("sub", child, 1)));
  await work(name);
  await work(name, "FAILED");
  const failed = await ended(run, "FAILED");
  await executor.retry(run, true);
  await work(name);
  const done = await ended(run);
  const below = taskOf(done, "sub").subWorkflowId;
  equal(below, taskOf(failed, "sub").subWorkflowId);
  equal(table(await runOf(below)), "x COMPLETED\ny FAILED\ny COMPLETED");
});

test("restart begins again", async () => {
  const [name, flow] = await twoSteps();
  const run = await start(flow, { n: 1 });
  await work(name, "FAILED");
  await ended(run, "FAILED");
  await executor.restart(run, false);
  await work(name);
  await work(name);
  equal(table(await ended(run)), "a COMPLETED\nb COMPLETED");
});

test("restart with the latest definition", async () => {
  const [name, flow] = await twoSteps();
  const run = await start(flow);
  await work(name, "FAILED");
  await ended(run, "FAILED");
  const changed = new sdk.ConductorWorkflow(executor, flow).timeoutSeconds(0).ownerEmail("test@example.com");
  await changed.add(simpleTask("other", name, {})).register(true);
  await executor.restart(run, true);
  await work(name);
  equal(table(await ended(run)), "other COMPLETED");
});

test("rerun of the whole with another input", async () => {
  const [name, flow] = await twoSteps();
  const run = await start(flow, { n: 1 });
  await work(name);
  await work(name);
  await ended(run);
  equal(await executor.reRun(run, { workflowInput: { n: 2 }, correlationId: "again" }), run);
  await work(name);
  await work(name);
  const done = await ended(run);
  equal([done.input, done.correlationId], [{ n: 2 }, "again"]);
});

test("back to a task that is looked for", async () => {
  const [name, flow] = await twoSteps();
  const run = await start(flow);
  const first = await work(name, "COMPLETED", { n: 1 });
  await work(name);
  await ended(run);
  await executor.goBackToTask(run, (task) => task.referenceTaskName === "a");
  const again = await work(name, "COMPLETED", { n: 5 });
  equal(again.taskId, first.taskId);
  const next = await work(name);
  equal(next.inputData, { fromA: 5 });
  await ended(run);
});

test("back to the last task of a type", async () => {
  const [name, flow] = await twoSteps();
  const run = await start(flow);
  await work(name);
  const last = await work(name);
  await ended(run);
  await executor.goBackToFirstTaskMatchingType(run, name);
  equal((await work(name)).taskId, last.taskId);
  await ended(run);
});

test("a task is skipped before its turn has come", async () => {
  const [name, flow] = await twoSteps();
  const run = await start(flow);
  await executor.skipTasksFromWorkflow(run, "b", { taskInput: { k: 1 }, taskOutput: { n: 2 } });
  await work(name);
  equal(taskOf(await ended(run), "b").status, "SKIPPED");
});

test("a terminated run ends with its reason", async () => {
  const [, flow] = await twoSteps();
  const run = await start(flow);
  await executor.terminate(run, "enough");
  const done = await ended(run, "TERMINATED");
  assert.match(done.reasonForIncompletion, /enough/);
  equal(table(done), "a CANCELED");
});

test("a run that is removed is gone", async () => {
  const [name, flow] = await twoSteps();
  const run = await start(flow);
  await work(name);
  await work(name);
  await ended(run);
  await executor.deleteWorkflow(run, false);
  await refused(executor.getWorkflow(run, true));
});

test("many runs at once", async () => {
  const [name, flow] = await twoSteps();
  const runs = await Promise.all(executor.startWorkflows([1, 2, 3].map((n) => ({ name: flow, input: { n } }))));
  const strange = unique("nowhere");
  const bulk = client.workflowBulkResource;
  const paused = await bulk.pauseWorkflow1([...runs, strange]);
  equal(paused.bulkSuccessfulResults.sort(), [...runs].sort());
  equal(Object.keys(paused.bulkErrorResults), [strange]);
  await bulk.resumeWorkflow(runs);
  for (const run of runs) equal((await runOf(run)).status, "RUNNING");
  await bulk.terminate(runs);
  for (const run of runs) await ended(run, "TERMINATED");
  await bulk.retry(runs);
  for (const run of runs) await reached(run, "a", "SCHEDULED");
  await bulk.terminate(runs);
  await bulk.restart(runs);
  for (const run of runs) equal(table(await runOf(run)), "a SCHEDULED");
  for (let n = 0; n < 6; n++) await work(name);
  for (const run of runs) await ended(run);
});
