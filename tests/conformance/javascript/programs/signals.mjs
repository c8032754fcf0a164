// Waiting tasks that others complete: signals, results by reference name, and those that answer with the run.

import { assert, define, ended, equal, eventually, executor, noop, program, reached, refused, runOf, sdk } from "../lib.mjs";
import { start, taskDef, taskOf, tasks, work } from "../lib.mjs";

const test = program(import.meta.url);
const { simpleTask, subWorkflowTask, humanTask } = sdk;
const signalled = (ref) => ({ name: ref, taskReferenceName: ref, type: "WAIT", inputParameters: {} });

async function waiting() {
  const run = await start(await define(signalled("here"), signalled("there"), noop("after")));
  await reached(run, "here", "IN_PROGRESS");
  return run;
}

test("a signal that nobody waits for", async () => {
  const run = await waiting();
  await executor.signalAsync(run, "COMPLETED", { k: 1 });
  const now = await reached(run, "there", "IN_PROGRESS");
  equal(taskOf(now, "here").outputData, { taskOutput: { k: 1 } });
  await executor.signalAsync(run, "FAILED", {});
  await ended(run, "FAILED");
});

test("a signal that is answered in every way", async () => {
  const run = await waiting();
  const target = await executor.signal(run, "COMPLETED", { k: 1 });
  assert(target.isTargetWorkflow());
  equal([target.targetWorkflowId, target.getWorkflow().status], [run, "RUNNING"]);
  equal(
    target.getWorkflow().tasks.map((task) => task.status),
    ["COMPLETED", "IN_PROGRESS"],
  );
  const done = await executor.signal(run, "COMPLETED", {}, "BLOCKING_WORKFLOW");
  equal(done.targetWorkflowStatus, "COMPLETED");
  await refused(executor.signal(run, "COMPLETED", {}));
});

test("a signal is answered with the task that waits next", async () => {
  const run = await waiting();
  const task = await executor.signal(run, "COMPLETED", {}, "BLOCKING_TASK");
  assert(task.isBlockingTask());
  equal([task.getBlockingTask().referenceTaskName, task.getBlockingTask().status], ["there", "IN_PROGRESS"]);
  await executor.terminate(run, "enough");
});

test("a signal reaches a sub-workflow", async () => {
  const child = await define(signalled("inner"));
  const run = await start(await define(subWorkflowTask("sub", child, 1), noop("after")));
  const below = await eventually("the child", async () => (await runOf(run)).tasks[0]?.subWorkflowId);
  await reached(below, "inner", "IN_PROGRESS");
  await executor.signalAsync(run, "COMPLETED", {});
  await ended(run);
});

test("a result by reference name", async () => {
  const run = await waiting();
  const id = await executor.updateTaskByRefName("here", run, "COMPLETED", { k: 1 });
  const now = await reached(run, "there", "IN_PROGRESS");
  equal([taskOf(now, "here").taskId, taskOf(now, "here").outputData], [id, { k: 1 }]);
  await tasks.updateTaskResult(run, "there", "COMPLETED", { k: 2 });
  equal(taskOf(await ended(run), "there").outputData, { outputData: { k: 2 } });
});

test("a result that is answered with the run", async () => {
  const run = await waiting();
  const now = await tasks.updateTaskSync(run, "here", "COMPLETED", { k: 1 }, "me");
  equal([now.workflowId, now.status, taskOf(now, "here").workerId], [run, "RUNNING", "me"]);
  const last = await executor.updateTaskSync("there", run, "COMPLETED", { k: 2 });
  equal(last.status, "COMPLETED");
  await refused(tasks.updateTaskSync(run, "there", "COMPLETED", {}));
});

test("a task for people", async () => {
  const form = humanTask("ask", {
    displayName: "who",
    formTemplate: "form",
    formVersion: 1,
    assignee: { userType: "EXTERNAL_USER", user: "me" },
  });
  const run = await start(await define(form, noop("after")));
  const now = await reached(run, "ask", "IN_PROGRESS");
  equal(taskOf(now, "ask").inputData.__humanTaskDefinition.displayName, "who");
  await executor.updateTaskByRefName("ask", run, "COMPLETED", { yes: true });
  equal(taskOf(await ended(run), "ask").outputData, { yes: true });
});

test("a result by id", async () => {
  const name = await taskDef();
  const run = await start(await define(simpleTask("a", name, {})));
  const taken = await work(name, "COMPLETED", { n: 1 });
  const found = await executor.getTask(taken.taskId);
  equal([found.status, found.outputData, found.workflowInstanceId], ["COMPLETED", { n: 1 }, run]);
  await ended(run);
});
