// Starting, watching and finding runs; executing and waiting; variables and states; trying out a definition.

import {
  ask,
  assert,
  define,
  ended,
  equal,
  eventually,
  executor,
  flowOf,
  noop,
  program,
  reached,
  refused,
} from "../lib.mjs";
import { sdk, start, taskDef, taskOf, unique, work } from "../lib.mjs";

const test = program(import.meta.url);
const { simpleTask, setVariableTask } = sdk;
const signalled = (ref) => ({ name: ref, taskReferenceName: ref, type: "WAIT", inputParameters: {} });

test("a run knows all that it was started with", async () => {
  const flow = await define(noop("a"));
  const id = await start(flow, { n: [1, null, "x"] }, { correlationId: "mine", priority: 7, version: 1 });
  const run = await ended(id);
  equal([run.workflowId, run.workflowName, run.workflowVersion], [id, flow, 1]);
  equal([run.input, run.correlationId, run.priority], [{ n: [1, null, "x"] }, "mine", 7]);
  assert(run.createTime > 0 && run.endTime >= run.startTime);
});

test("started by name alone", async () => {
  const flow = await define(noop("a"));
  const run = await ended(await executor.startWorkflowByName(flow, { n: 1 }, 1, "mine", 3));
  equal([run.input, run.correlationId, run.priority], [{ n: 1 }, "mine", 3]);
});

test("started through its builder", async () => {
  const flow = flowOf(noop("a")).outputParameters({ n: "${workflow.input.n}", v: "${workflow.variables.v}" });
  flow.variables({ v: 5 }).inputTemplate({ n: 1, m: 2 }).description("why").timeoutPolicy("ALERT_ONLY");
  await flow.register();
  const run = await ended(await flow.startWorkflow({ n: 3 }, "mine", 2));
  equal([run.output, run.input, run.correlationId], [{ n: 3, v: 5 }, { n: 3, m: 2 }, "mine"]);
});

test("a definition that comes with the start", async () => {
  const flow = flowOf(noop("a")).outputParameter("n", "${workflow.input.n}");
  const run = await ended(await start(flow.getName(), { n: 1 }, { workflowDef: flow.toWorkflowDef() }));
  equal(run.output, { n: 1 });
});

test("what is unknown is refused", async () => {
  assert.match(await refused(start(unique("nowhere"))), /nowhere/);
  await refused(executor.getWorkflow(unique("nowhere"), true, 0));
  await refused(executor.getTask(unique("nowhere")));
});

test("executed and waited for", async () => {
  const flow = flowOf(noop("a")).outputParameters({ n: "${workflow.input.n}" });
  await flow.register();
  const run = await flow.execute({ n: 1 });
  equal([run.status, run.output], ["COMPLETED", { n: 1 }]);
});

test("executed until a task waits", async () => {
  const flow = flowOf(setVariableTask("set", { v: 1 }), signalled("here"), noop("after"));
  await flow.register();
  const run = await flow.execute({ n: 1 });
  equal([run.status, run.responseType, run.variables], ["RUNNING", "TARGET_WORKFLOW", { v: 1 }]);
  await executor.signalAsync(run.targetWorkflowId, "COMPLETED", {});
  await ended(run.targetWorkflowId);
});

test("executed until a task is done", async () => {
  const name = await taskDef();
  const flow = flowOf(noop("first"), simpleTask("a", name, {}));
  await flow.register();
  const began = Date.now();
  const run = await flow.execute({}, "first");
  equal(run.status, "RUNNING");
  assert(Date.now() - began < 8000, "it has waited for more");
  await executor.terminate(run.targetWorkflowId, "enough");
});

test("executed with every way to answer", async () => {
  const flow = flowOf(noop("a"), signalled("here"), noop("after"));
  await flow.register();
  const execute = (strategy) =>
    executor.executeWorkflow(
      { name: flow.getName(), version: 1 },
      flow.getName(),
      1,
      unique("id"),
      "",
      5,
      "DURABLE",
      strategy,
    );
  const target = await execute("TARGET_WORKFLOW");
  assert(target.isTargetWorkflow());
  equal(target.getWorkflow().tasks.length, 2);
  const blocking = await execute("BLOCKING_WORKFLOW");
  assert(blocking.isBlockingWorkflow());
  equal(blocking.getWorkflow().status, "RUNNING");
  const task = await execute("BLOCKING_TASK");
  assert(task.isBlockingTask());
  equal([task.getBlockingTask().taskType, task.getBlockingTask().referenceTaskName], ["WAIT", "here"]);
  const input = await execute("BLOCKING_TASK_INPUT");
  assert(input.isBlockingTaskInput());
  equal(input.getTaskInput() ?? {}, {});
});

test("the status alone, with what is asked for", async () => {
  const flow = flowOf(setVariableTask("set", { v: 1 })).outputParameters({ n: 1 });
  await flow.register();
  const run = await ended(await flow.startWorkflow({}, "mine"));
  const status = await executor.getWorkflowStatus(run.workflowId, true, true);
  equal([status.status, status.output, status.variables], ["COMPLETED", { n: 1 }, { v: 1 }]);
  equal([status.correlationId, status.workflowId], ["mine", run.workflowId]);
  const short = await executor.getWorkflowStatus(run.workflowId, false, false);
  equal([short.output ?? {}, short.variables ?? {}], [{}, {}]);
});

test("a run without its tasks", async () => {
  const run = await ended(await start(await define(noop("a"))));
  equal((await executor.getExecution(run.workflowId, false)).tasks, []);
  equal((await executor.getExecution(run.workflowId)).tasks.length, 1);
});

test("runs are found", async () => {
  const flow = await define(noop("a"));
  const ids = [];
  for (const n of [1, 2, 3])
    ids.push((await ended(await start(flow, { n }, { correlationId: unique("c") }))).workflowId);
  const found = await eventually("three hits", async () => {
    const answer = await executor.search(0, 10, `workflowType=${flow} AND status=COMPLETED`, "*", "startTime:ASC");
    return answer.totalHits === 3 && answer;
  });
  equal(found.results.map((one) => one.workflowId).sort(), [...ids].sort());
  const [first] = found.results;
  equal([first.workflowType, first.version, first.status], [flow, 1, "COMPLETED"]);
  equal([typeof first.input, typeof first.startTime, typeof first.executionTime], ["string", "string", "number"]);
  equal((await executor.search(1, 1, `workflowType=${flow}`, "*")).results.length, 1);
  equal((await executor.search(0, 10, `workflowType IN (${flow}) AND status IN (FAILED)`, "*")).totalHits, 0);
});

test("runs of correlation ids", async () => {
  const [flow, other] = [await define(noop("a")), await define(noop("a"))];
  const ids = [unique("c"), unique("c")];
  for (const id of ids) await ended(await start(flow, {}, { correlationId: id }));
  await ended(await start(other, {}, { correlationId: ids[0] }));
  const body = await (await ask("POST", `/workflow/${flow}/correlated?includeClosed=true`, ids)).json();
  equal(
    ids.map((id) => body[id].length),
    [1, 1],
  );
});

test.beyond("runs of correlation ids and several workflows", async () => {
  const [flow, other] = [await define(noop("a")), await define(noop("a"))];
  const id = unique("c");
  for (const one of [flow, other]) await ended(await start(one, {}, { correlationId: id }));
  const found = await executor.getByCorrelationIds({ workflowNames: [flow, other], correlationIds: [id] }, true, true);
  equal(found[id].map((run) => run.workflowName).sort(), [flow, other].sort());
});

test("a definition is tried out with answers that are made up", async () => {
  const name = await taskDef("mocked");
  const flow = flowOf(simpleTask("a", name, {}), simpleTask("b", name, { n: "${a.output.n}" }));
  await flow.register();
  const run = await executor.testWorkflow({
    name: flow.getName(),
    version: 1,
    workflowDef: flow.toWorkflowDef(),
    taskRefToMockOutput: {
      a: [{ status: "COMPLETED", output: { n: 4 } }],
      b: [{ status: "COMPLETED", output: { m: 5 } }],
    },
  });
  equal([run.status, taskOf(run, "b").inputData.n, taskOf(run, "b").outputData], ["COMPLETED", 4, { m: 5 }]);
});

test.beyond("variables are changed from outside", async () => {
  const run = await start(
    await define(
      setVariableTask("set", { v: 1 }),
      signalled("here"),
      setVariableTask("w", { w: "${workflow.variables.v}" }),
    ),
  );
  await reached(run, "here", "IN_PROGRESS");
  const changed = await executor.updateVariables(run, { v: 2, k: [1] });
  equal(changed.variables, { v: 2, k: [1] });
  await executor.signalAsync(run, "COMPLETED", {});
  equal((await ended(run)).variables, { v: 2, k: [1], w: 2 });
});

test.beyond("a task and variables are changed at once, and the run is waited for", async () => {
  const run = await start(await define(signalled("here"), setVariableTask("w", { w: "${workflow.variables.v}" })));
  await reached(run, "here", "IN_PROGRESS");
  const change = {
    taskReferenceName: "here",
    taskResult: { status: "COMPLETED", outputData: { k: 1 } },
    variables: { v: 2 },
  };
  const answer = await executor.updateState(run, change, unique("id"), "w", 5);
  equal([answer.status, answer.variables], ["COMPLETED", { v: 2, w: 2 }]);
});

test.beyond("a key makes a start happen once", async () => {
  const name = await taskDef();
  const flow = flowOf(simpleTask("a", name, {}));
  await flow.register();
  const key = unique("key");
  const first = await flow.startWorkflow({}, undefined, 0, key, "RETURN_EXISTING");
  equal(await flow.startWorkflow({}, undefined, 0, key, "RETURN_EXISTING"), first);
  await refused(flow.startWorkflow({}, undefined, 0, key, "FAIL"));
  await executor.terminate(first, "enough");
});

test("several are started together", async () => {
  const flow = await define(noop("a"));
  const ids = await Promise.all(executor.startWorkflows([{ name: flow }, { name: flow, input: { n: 1 } }]));
  equal(new Set(ids).size, 2);
  for (const id of ids) await ended(id);
});

test("a failure starts the workflow that was named for it", async () => {
  const name = await taskDef();
  const undo = await define(noop("undo"));
  const flow = flowOf(simpleTask("a", name, {})).failureWorkflow(undo);
  await flow.register();
  const run = await flow.startWorkflow({ n: 1 });
  await work(name, "FAILED");
  const failed = await ended(run, "FAILED");
  const other = await ended(failed.output["conductor.failure_workflow"]);
  equal([other.workflowName, other.input.workflowId, other.input.n], [undo, run, 1]);
});
