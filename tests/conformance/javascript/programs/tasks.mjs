// Tasks by themselves: polled, looked up, logged, searched for, counted.

import {
  assert,
  client,
  define,
  ended,
  equal,
  eventually,
  executor,
  polled,
  program,
  refused,
  sdk,
  start,
} from "../lib.mjs";
import { sleep, taskDef, tasks, unique, work } from "../lib.mjs";

const test = program(import.meta.url);
const { simpleTask } = sdk;

test("a task that is polled for by hand", async () => {
  const name = await taskDef();
  const run = await start(await define(simpleTask("a", name, { n: 1 })), {}, { correlationId: "mine", priority: 5 });
  const task = await eventually("the task", () => client.taskResource.poll(name, "me"));
  equal([task.taskType, task.taskDefName, task.referenceTaskName, task.status], [name, name, "a", "IN_PROGRESS"]);
  equal([task.inputData, task.workflowInstanceId, task.correlationId], [{ n: 1 }, run, "mine"]);
  equal([task.workerId, task.pollCount, task.workflowPriority, task.retryCount, task.seq], ["me", 1, 5, 0, 1]);
  await executor.updateTask(task.taskId, run, "COMPLETED", { m: 1 });
  equal((await ended(run)).output, { m: 1 });
});

test("nothing is polled where nothing waits", async () => {
  const name = await taskDef();
  assert(!(await client.taskResource.poll(name, "me"))?.taskId);
  equal(await client.taskResource.batchPoll(name, "me", undefined, 5, 10), []);
});

test("several are polled at once", async () => {
  const name = await taskDef();
  const flow = await define(simpleTask("a", name, {}));
  const runs = [await start(flow), await start(flow), await start(flow)];
  const taken = [];
  await eventually("all three", async () => {
    taken.push(...(await client.taskResource.batchPoll(name, "me", undefined, 2, 50)));
    return taken.length === 3;
  });
  equal(taken.map((task) => task.workflowInstanceId).sort(), [...runs].sort());
  for (const task of taken) await executor.updateTask(task.taskId, task.workflowInstanceId, "COMPLETED", {});
  for (const run of runs) await ended(run);
});

test("logs are kept with their task", async () => {
  const name = await taskDef();
  const run = await start(await define(simpleTask("a", name, {})));
  const task = await polled(name);
  await tasks.addTaskLog(task.taskId, "first line");
  await tasks.addTaskLog(task.taskId, "second line");
  const logs = await eventually("the logs", async () => {
    const found = await tasks.getTaskLogs(task.taskId);
    return found?.length === 2 && found;
  });
  for (const line of logs) assert.match(line.log, /^"?(first|second) line"?$/);
  equal(
    logs.map((line) => line.taskId),
    [task.taskId, task.taskId],
  );
  await executor.updateTask(task.taskId, run, "COMPLETED", {});
  await ended(run);
});

test("a task is found by its id", async () => {
  const name = await taskDef();
  const run = await start(await define(simpleTask("a", name, {})));
  const taken = await work(name, "COMPLETED", { n: 1 });
  equal((await tasks.getTask(taken.taskId)).outputData, { n: 1 });
  await refused(tasks.getTask(unique("nowhere")));
  await ended(run);
});

test("tasks are searched for", async () => {
  const name = await taskDef();
  const run = await start(await define(simpleTask("a", name, {})));
  const taken = await work(name);
  await ended(run);
  // The index of the real server follows a moment later.
  await sleep(500);
  const found = await tasks.search(0, 10, "startTime:DESC", "*", `taskType=${name} AND status=COMPLETED`);
  equal(found.totalHits, 1);
  equal([found.results[0].taskId, found.results[0].workflowId, found.results[0].taskType], [taken.taskId, run, name]);
});

test("queues are counted, and who polls is known", async () => {
  const name = await taskDef();
  const flow = await define(simpleTask("a", name, {}));
  const runs = [await start(flow), await start(flow)];
  equal(await tasks.getQueueSizeForTask([name]), { [name]: 2 });
  await work(name);
  equal(await tasks.getQueueSizeForTask([name]), { [name]: 1 });
  await work(name);
  equal(await tasks.getQueueSizeForTask([name]), { [name]: 0 });
  const [data] = await tasks.getTaskPollData(name);
  equal([data.queueName, data.workerId], [name, "by-hand"]);
  for (const run of runs) await ended(run);
});

test("a task that has ended stays as it is", async () => {
  const name = await taskDef();
  const run = await start(await define(simpleTask("a", name, {})));
  const taken = await work(name, "COMPLETED", { n: 1 });
  await executor.updateTask(taken.taskId, run, "FAILED", { n: 2 });
  const task = await executor.getTask(taken.taskId);
  equal([task.status, task.outputData], ["COMPLETED", { n: 1 }]);
  await ended(run);
});

test("a task in progress goes back to its queue", async () => {
  const name = await taskDef();
  const run = await start(await define(simpleTask("a", name, {})));
  const taken = await work(name, "IN_PROGRESS", { half: 1 });
  const again = await polled(name);
  equal([again.taskId, again.pollCount, again.outputData], [taken.taskId, 2, { half: 1 }]);
  await executor.updateTask(taken.taskId, run, "COMPLETED", {});
  await ended(run);
});
