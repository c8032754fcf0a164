// The client's own workers: TaskManager, TaskRunner and TaskHandler, and every way in which a task may end.

import {
  assert,
  client,
  ended,
  define,
  equal,
  eventually,
  executed,
  flowOf,
  logger,
  metadata,
  noop,
  output,
  program,
  sdk,
} from "../lib.mjs";
import { runOf, sleep, start, table, taskDef, taskOf, tasks, unique, withWorkers } from "../lib.mjs";

const test = program(import.meta.url);
const { simpleTask } = sdk;

const completed = (outputData) => ({ status: "COMPLETED", outputData });

test("a worker gets the input and gives the output", async () => {
  const name = await taskDef("add");
  const flow = await define(
    simpleTask("a", name, { x: 1, y: "${workflow.input.y}" }),
    simpleTask("b", name, { x: "${a.output.sum}", y: 10 }),
  );
  await withWorkers({ [name]: async ({ inputData }) => completed({ sum: inputData.x + inputData.y }) }, async () => {
    const run = await ended(await start(flow, { y: 2 }));
    equal(run.output, { sum: 13 });
    assert(taskOf(run, "a").workerId, "nobody did it");
  });
});

test("many short tasks one after the other come with the answers to the updates", async () => {
  const name = await taskDef("step");
  const steps = Array.from({ length: 20 }, (_, n) => simpleTask(`t${n}`, name, { n }));
  await withWorkers({ [name]: async ({ inputData }) => completed({ n: inputData.n }) }, async () => {
    equal((await executed(steps)).output, { n: 19 });
  });
});

test("as many tasks at once as the worker may do", async () => {
  const name = await taskDef("slow");
  const refs = Array.from({ length: 6 }, (_, n) => `b${n}`);
  const flow = await define(
    flowOf()
      .fork(refs.map((ref) => [simpleTask(ref, name, {})]))
      .toWorkflowDef().tasks,
  );
  let now = 0;
  let most = 0;
  const slow = async () => {
    most = Math.max(most, ++now);
    await sleep(150);
    now--;
    return completed({});
  };
  await withWorkers({ [name]: slow }, async () => ended(await start(flow)), { concurrency: 3 });
  equal(most, 3);
});

test("an exception is a failure that is tried again", async () => {
  const name = await taskDef("fails", { retryCount: 2 });
  const errors = [];
  const fails = async (task) => {
    if (task.retryCount < 2) throw new Error(`not at attempt ${task.retryCount}`);
    return completed({ attempt: task.retryCount });
  };
  const manager = new sdk.TaskManager(client, [{ taskDefName: name, execute: fails }], {
    logger,
    options: { pollInterval: 20 },
    onError: (error) => errors.push(error.message),
  });
  manager.startPolling();
  const run = await executed([simpleTask("a", name, {})]);
  await manager.stopPolling();
  equal(table(run), "a FAILED\na FAILED\na COMPLETED");
  equal(run.output, { attempt: 2 });
  equal(run.tasks[0].reasonForIncompletion, "not at attempt 0");
  equal(errors, ["not at attempt 0", "not at attempt 1"]);
  const logs = await tasks.getTaskLogs(run.tasks[0].taskId);
  assert.match(logs[0].log, /not at attempt 0/);
});

test("what is not to be retried is not", async () => {
  const name = await taskDef("never", { retryCount: 2 });
  const never = async () => {
    throw new sdk.NonRetryableException("there is no use in it");
  };
  await withWorkers({ [name]: never }, async () => {
    const run = await executed([simpleTask("a", name, {})], {}, "FAILED");
    equal(table(run), "a FAILED_WITH_TERMINAL_ERROR");
    assert.match(run.reasonForIncompletion, /there is no use in it/);
  });
});

test("a worker may say itself that it has failed", async () => {
  const name = await taskDef("told");
  const told = async () => ({ status: "FAILED", outputData: { why: 1 }, reasonForIncompletion: "as told" });
  await withWorkers({ [name]: told }, async () => {
    const run = await executed([simpleTask("a", name, {})], {}, "FAILED");
    equal([taskOf(run, "a").reasonForIncompletion, output(run, "a")], ["as told", { why: 1 }]);
  });
});

test("a task in progress is called back", async () => {
  const name = await taskDef("parts");
  const parts = async (task) =>
    task.pollCount > 1
      ? completed({ polls: task.pollCount })
      : { status: "IN_PROGRESS", callbackAfterSeconds: 1, outputData: { half: true } };
  await withWorkers({ [name]: parts }, async () => {
    const run = await executed([simpleTask("a", name, {})]);
    equal([run.output, table(run)], [{ polls: 2 }, "a COMPLETED"]);
  });
});

test("logs, output and what a worker asks of its context", async () => {
  const name = await taskDef("talks");
  const talks = async () => {
    const context = sdk.getTaskContext();
    context.addLog("first");
    context.addLog("second");
    context.setOutput({ id: context.getTaskId(), attempt: context.getRetryCount(), n: context.getInput().n });
    return { status: "COMPLETED" };
  };
  await withWorkers({ [name]: talks }, async () => {
    const run = await executed([simpleTask("a", name, { n: 7 })]);
    equal(output(run, "a"), { id: taskOf(run, "a").taskId, attempt: 0, n: 7 });
    const logs = await eventually("the logs", async () => {
      const found = await tasks.getTaskLogs(taskOf(run, "a").taskId);
      return found.length === 2 && found;
    });
    equal(logs.map((line) => line.log).sort(), ["first", "second"]);
  });
});

test("a lease is extended while the worker lives", async () => {
  const name = await taskDef("long", { responseTimeoutSeconds: 2 });
  const worker = {
    taskDefName: name,
    leaseExtendEnabled: true,
    execute: async () => {
      await sleep(3500);
      return completed({ done: true });
    },
  };
  const runner = new sdk.TaskRunner({ worker, client, logger, options: { pollInterval: 20, workerID: "me" } });
  runner.startPolling();
  const run = await executed([simpleTask("a", name, {})]);
  await runner.stopPolling();
  equal([run.output, table(run), taskOf(run, "a").workerId], [{ done: true }, "a COMPLETED", "me"]);
});

test("a worker of a domain gets the tasks of that domain alone", async () => {
  const name = await taskDef("domain");
  const flow = await define(simpleTask("a", name, {}));
  const inside = await start(flow, {}, { taskToDomain: { [name]: "inner" } });
  const outside = await start(flow);
  await withWorkers({ [name]: async () => completed({}) }, () => ended(inside), { domain: "inner" });
  equal((await runOf(outside)).status, "RUNNING");
  await withWorkers({ [name]: async () => completed({}) }, () => ended(outside));
});

test("a paused runner takes nothing", async () => {
  const name = await taskDef("paused");
  const worker = { taskDefName: name, execute: async () => completed({}) };
  const runner = new sdk.TaskRunner({ worker, client, logger, options: { pollInterval: 20 } });
  runner.setPaused(true);
  runner.startPolling();
  const run = await start(await define(simpleTask("a", name, {})));
  await sleep(400);
  equal((await runOf(run)).tasks[0].status, "SCHEDULED");
  runner.setPaused(false);
  await ended(run);
  await runner.stopPolling();
});

test("more workers are allowed while they run", async () => {
  const name = await taskDef("more");
  await withWorkers({ [name]: async () => completed({}) }, async (manager) => {
    manager.updatePollingOptions({ concurrency: 5, pollInterval: 10 });
    manager.updatePollingOptionForWorker(name, { concurrency: 2 });
    await ended(await start(await define(simpleTask("a", name, {}))));
    assert(manager.isPolling);
  });
});

test("decorated functions are found, registered and told of", async () => {
  const name = unique("decorated");
  sdk.clearWorkerRegistry();
  const decorated = sdk.worker({
    taskDefName: name,
    pollInterval: 20,
    concurrency: 2,
    registerTaskDef: true,
    overwriteTaskDef: false,
    taskDef: { retryCount: 7, retryLogic: "LINEAR_BACKOFF", timeoutSeconds: 0, responseTimeoutSeconds: 60 },
  })(async (task) => completed({ twice: 2 * task.inputData.n }));
  const told = [];
  const listener = {
    onTaskExecutionStarted: () => told.push("started"),
    onTaskExecutionCompleted: () => told.push("completed"),
    onTaskUpdateCompleted: () => told.push("updated"),
  };
  const handler = await sdk.TaskHandler.create({
    client,
    logger,
    eventListeners: [listener],
    healthMonitor: { enabled: false },
  });
  await handler.startWorkers();
  equal([handler.workerCount, handler.runningWorkerCount, handler.isHealthy()], [1, 1, true]);
  const found = await metadata.getTask(name);
  equal([found.retryCount, found.retryLogic], [7, "LINEAR_BACKOFF"]);
  // Called with a reference name, it is the builder of its task.
  const run = await executed([decorated({ taskRefName: "a", inputParameters: { n: 4 } }), noop("b")]);
  equal(output(run, "a"), { twice: 8 });
  await eventually("the end of the update", () => told.length === 3);
  equal(told, ["started", "completed", "updated"]);
  await handler.stopWorkers();
  equal(handler.running, false);
});

test("the metrics of the workers are counted", async () => {
  const name = await taskDef("counted");
  const collector = sdk.createMetricsCollector();
  const worker = { taskDefName: name, execute: async () => completed({}) };
  const runner = new sdk.TaskRunner({
    worker,
    client,
    logger,
    options: { pollInterval: 20 },
    eventListeners: [collector],
  });
  runner.startPolling();
  await executed([simpleTask("a", name, {}), simpleTask("b", name, {})]);
  await runner.stopPolling();
  assert.match(String(collector.toPrometheusText?.() ?? JSON.stringify(collector.getMetrics())), new RegExp(name));
});
