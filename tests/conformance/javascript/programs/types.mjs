// Each type of task that the builders of the client make.

import {
  assert,
  define,
  ended,
  equal,
  executed,
  executor,
  noop,
  output,
  program,
  reached,
  sdk,
  start,
} from "../lib.mjs";
import { flowOf, metadata, runOf, table, taskDef, taskOf, withTarget, work } from "../lib.mjs";

const test = program(import.meta.url);
const {
  doWhileTask,
  dynamicForkTask,
  dynamicTask,
  forkTask,
  forkTaskJoin,
  httpTask,
  inlineTask,
  joinTask,
  jsonJqTask,
} = sdk;
const { newLoopTask, setVariableTask, simpleTask, startWorkflowTask, subWorkflowTask, switchTask, terminateTask } = sdk;
const { conductorEventTask, waitTaskDuration, waitTaskUntil } = sdk;

/** The builder of forks makes one branch of all that it is given. */
const forkOf = (ref, branches) => ({ ...forkTask(ref, []), forkTasks: branches });
/** With more input than the builder asks for. */
const given = (task, inputParameters) => ({
  ...task,
  inputParameters: { ...task.inputParameters, ...inputParameters },
});

test("SIMPLE", async () => {
  const name = await taskDef();
  const run = await start(
    await define(simpleTask("a", name, { n: "${workflow.input.n}", list: [1, "${workflow.input.n}"] })),
    { n: 1.5 },
  );
  equal((await work(name)).inputData, { n: 1.5, list: [1, 1.5] });
  await ended(run);
});

test("SIMPLE that is optional", async () => {
  const name = await taskDef();
  const run = await start(await define(simpleTask("a", name, {}, true), noop("b")));
  await work(name, "FAILED");
  equal(table(await ended(run)), "a COMPLETED_WITH_ERRORS\nb COMPLETED");
});

test("FORK_JOIN with the fork of the builder of workflows", async () => {
  const name = await taskDef();
  const flow = flowOf()
    .fork([[simpleTask("a", name, {}), noop("b")], [setVariableTask("c", { v: 1 })]])
    .add(noop("after"));
  await flow.register();
  const run = await flow.startWorkflow();
  await work(name, "COMPLETED", { n: 1 });
  const done = await ended(run);
  equal(done.tasks.map((task) => task.referenceTaskName).sort(), ["__fork_1", "__join_1", "a", "after", "b", "c"]);
  equal(taskOf(done, "__fork_1").taskType, "FORK");
});

test("FORK_JOIN and JOIN", async () => {
  const name = await taskDef();
  const run = await start(
    await define(forkOf("fork", [[simpleTask("a", name, {})], [inlineTask("c", "7")]]), joinTask("join", ["a", "c"])),
  );
  await work(name, "COMPLETED", { n: 1 });
  equal((await ended(run)).output, { a: { n: 1 }, c: { result: 7 } });
});

test("FORK_JOIN of one branch, with a JOIN that names nobody", async () => {
  const run = await executed(forkTaskJoin("fork", [inlineTask("a", "1"), inlineTask("b", "2")]));
  equal(run.tasks.map((task) => task.referenceTaskName).sort(), ["a", "b", "fork", "fork_join_ref"]);
  equal(output(run, "fork_join_ref"), {});
});

test("FORK_JOIN_DYNAMIC over tasks that are given", async () => {
  const name = await taskDef();
  const branches = [simpleTask("x", name, {}), inlineTask("y", "$.n + 1")];
  const run = await start(
    await define(dynamicForkTask("fork", branches, "${workflow.input.of}"), joinTask("join", []), noop("after")),
    {
      of: { x: { n: 1 }, y: { n: 2, evaluatorType: "javascript", expression: "$.n + 1" } },
    },
  );
  equal((await work(name, "COMPLETED", { m: 1 })).inputData, { n: 1 });
  equal(output(await ended(run), "join"), { x: { m: 1 }, y: { result: 3 } });
});

test("FORK_JOIN_DYNAMIC over tasks that come with the input", async () => {
  const name = await taskDef();
  const fork = dynamicForkTask("fork", "${workflow.input.tasks}", "${workflow.input.of}");
  const branches = ["x", "y", "z"].map((ref) => simpleTask(ref, name, {}));
  const run = await start(await define(fork, joinTask("join", [])), {
    tasks: branches,
    of: { x: { n: 1 }, y: { n: 2 }, z: { n: 3 } },
  });
  for (let n = 0; n < 3; n++) await work(name, "COMPLETED", { done: true });
  equal(Object.keys(output(await ended(run), "join")).sort(), ["x", "y", "z"]);
});

test("DYNAMIC", async () => {
  const name = await taskDef();
  const run = await start(await define(given(dynamicTask("any", "${workflow.input.which}"), { n: 1 })), {
    which: name,
  });
  equal((await work(name, "COMPLETED", { m: 1 })).inputData, { n: 1, taskToExecute: name });
  equal((await ended(run)).output, { m: 1 });
});

test("SWITCH", async () => {
  const route = switchTask("route", "${workflow.input.kind}", { x: [inlineTask("a", "1"), noop("b")], y: [] }, [
    noop("other"),
  ]);
  const flow = await define(route, noop("after"));
  const refs = async (kind) => (await ended(await start(flow, { kind }))).tasks.map((task) => task.referenceTaskName);
  equal(await refs("x"), ["route", "a", "b", "after"]);
  equal(await refs("y"), ["route", "after"]);
  equal(await refs("z"), ["route", "other", "after"]);
});

test("DO_WHILE over a count", async () => {
  const name = await taskDef();
  const run = await start(
    await define(newLoopTask("loop", 3, [simpleTask("a", name, { i: "${loop.output.iteration}" })]), noop("after")),
  );
  for (const i of [1, 2, 3]) equal((await work(name, "COMPLETED", { i })).inputData, { i });
  const done = await ended(run);
  equal(output(done, "loop"), { iteration: 3, 1: { a: { i: 1 } }, 2: { a: { i: 2 } }, 3: { a: { i: 3 } } });
  equal(table(done), "loop COMPLETED\na__1 COMPLETED\na__2 COMPLETED\na__3 COMPLETED\nafter COMPLETED");
});

test("DO_WHILE over a condition", async () => {
  const loop = doWhileTask("loop", "$.x.result < 4", [
    given(inlineTask("x", "$.i * 2"), { i: "${loop.output.iteration}" }),
  ]);
  const run = await executed([loop]);
  equal([output(run, "loop").iteration, output(run, "x__2")], [2, { result: 4 }]);
});

test("SUB_WORKFLOW by name", async () => {
  const child = flowOf(noop("x")).outputParameters({ n: "${workflow.input.n}" });
  await child.register();
  const run = await executed([given(subWorkflowTask("sub", child.getName(), 1), { n: "${workflow.input.n}" })], {
    n: 3,
  });
  equal(output(run, "sub").n, 3);
  const below = await runOf(taskOf(run, "sub").subWorkflowId);
  equal([below.parentWorkflowId, below.parentWorkflowTaskId], [run.workflowId, taskOf(run, "sub").taskId]);
});

test("SUB_WORKFLOW with its definition in it", async () => {
  const child = flowOf(inlineTask("x", "6 * 7")).outputParameters({ n: "${x.output.result}" });
  const run = await executed([child.toSubWorkflowTask("sub"), noop("after")]);
  equal(output(run, "sub").n, 42);
});

test("START_WORKFLOW", async () => {
  const other = await define(noop("x"));
  const run = await executed([startWorkflowTask("begin", other, { n: 1 }, 1, "mine")]);
  const begun = await ended(output(run, "begin").workflowId);
  equal([begun.workflowName, begun.input.n, begun.correlationId], [other, 1, "mine"]);
});

test("HTTP", async () => {
  await withTarget(async (address) => {
    const call = httpTask("call", {
      uri: `${address}/x?y=1`,
      method: "POST",
      headers: { "X-A": "b" },
      body: { n: "${workflow.input.n}" },
    });
    const { response } = output(await executed([call], { n: 1 }), "call");
    equal([response.statusCode, response.body.method, response.body.url], [200, "POST", "/x?y=1"]);
    equal([response.body.body, response.body.headers["x-a"]], [{ n: 1 }, "b"]);
  });
});

test("HTTP that fails", async () => {
  await withTarget(
    async (address) => {
      const run = await executed([httpTask("call", { uri: `${address}/bad`, method: "GET" })], {}, "FAILED");
      equal(table(run), "call FAILED");
    },
    { "/bad": () => [500, { no: true }] },
  );
});

test("HTTP whose end comes from elsewhere", async () => {
  await withTarget(async (address) => {
    const run = await start(
      await define(httpTask("call", { uri: `${address}/x`, method: "GET" }, true), noop("after")),
    );
    await reached(run, "call", "IN_PROGRESS");
    await executor.updateTaskByRefName("call", run, "COMPLETED", { k: 1 });
    equal(output(await ended(run), "call").k, 1);
  });
});

test("INLINE", async () => {
  const script = "(function () { const [a, ...rest] = $.list; return { a, rest, n: rest.map((x) => x ** 2) }; })()";
  const run = await executed([given(inlineTask("x", script, "graaljs"), { list: "${workflow.input.list}" })], {
    list: [1, 2, 3],
  });
  equal(output(run, "x"), { result: { a: 1, rest: [2, 3], n: [4, 9] } });
});

test("INLINE from a function of the client", async () => {
  const task = sdk.generateInlineTask({
    name: "x",
    inputParameters: {
      value: "${workflow.input.n}",
      expression: () =>
        function () {
          return $.value * 2;
        },
    },
  });
  const run = await executed([task], { n: 21 });
  equal(run.output, { result: 42 });
});

test("JSON_JQ_TRANSFORM", async () => {
  const run = await executed(
    [given(jsonJqTask("x", ".list | map(. * 2) | {all: ., sum: add}"), { list: "${workflow.input.list}" })],
    { list: [1, 2] },
  );
  equal(output(run, "x").result, { all: [2, 4], sum: 6 });
});

test("SET_VARIABLE", async () => {
  const run = await executed(
    [
      setVariableTask("set", { v: { n: "${workflow.input.n}" } }),
      setVariableTask("again", { w: "${workflow.variables.v.n}" }),
    ],
    { n: 1 },
  );
  equal(run.variables, { v: { n: 1 }, w: 1 });
});

test("TERMINATE with success", async () => {
  equal(table(await executed([terminateTask("end", "COMPLETED", "done"), noop("never")])), "end COMPLETED");
});

test("TERMINATE with a failure", async () => {
  const run = await executed([terminateTask("end", "FAILED", "because"), noop("never")], {}, "FAILED");
  assert.match(run.reasonForIncompletion, /because/);
});

test("WAIT for a duration", async () => {
  const began = Date.now();
  const run = await executed([waitTaskDuration("here", "1 seconds")]);
  assert(Date.now() - began >= 950, "it has not waited");
  equal(table(run), "here COMPLETED");
});

test("WAIT until a time", async () => {
  equal(
    table(await executed([waitTaskUntil("here", "2020-01-01 00:00"), noop("after")])),
    "here COMPLETED\nafter COMPLETED",
  );
  const run = await start(await define(waitTaskUntil("here", "2099-01-01 00:00")));
  await reached(run, "here", "IN_PROGRESS");
  await executor.terminate(run, "enough");
});

test("EVENT", async () => {
  const run = await executed([conductorEventTask("tell", "x")]);
  assert.match(output(run, "tell").event_produced, /^conductor:/);
});

test("all that the generators make is taken for a definition", async () => {
  const child = { type: "INLINE", name: "inner" };
  const made = sdk.taskGenMapper([
    { type: "SIMPLE", name: "simple" },
    { type: "HTTP", name: "http" },
    { type: "INLINE", name: "inline" },
    { type: "JSON_JQ_TRANSFORM", name: "jq" },
    { type: "SUB_WORKFLOW", name: "sub" },
    { type: "SET_VARIABLE", name: "set" },
    { type: "WAIT", name: "wait" },
    { type: "DO_WHILE", name: "loop", loopCondition: "false", loopOver: [child] },
    { type: "TERMINATE", name: "end" },
  ]);
  const name = await define(...made);
  const found = await metadata.getWorkflowDef(name);
  equal(
    found.tasks.map((task) => task.type),
    made.map((task) => task.type),
  );
  equal(found.tasks[3].inputParameters, made[3].inputParameters);
});

test.fixme("queues of messages are not connected", "tasks for queues are taken for a definition", async () => {
  const made = [
    sdk.generateKafkaPublishTask(),
    sdk.generateEventTask(),
    sdk.sqsEventTask("sqs", "queue"),
    sdk.pullWorkflowMessages("pull", 2),
  ];
  equal((await metadata.getWorkflowDef(await define(...made))).tasks.length, 4);
});

test.fixme("models and their tools are not connected", "tasks for models are taken for a definition", async () => {
  const name = await define(
    sdk.llmChatCompleteTask("chat", "openai", "gpt", { messages: [{ role: sdk.Role.USER, message: "hello" }] }),
    sdk.llmTextCompleteTask("text", "openai", "gpt", "prompt"),
    sdk.llmGenerateEmbeddingsTask("embed", "openai", "ada", "text"),
    sdk.listMcpToolsTask("tools", "server"),
    sdk.callMcpToolTask("tool", "server", "method"),
    sdk.getDocumentTask("document", "http://example.com/x"),
  );
  equal((await metadata.getWorkflowDef(name)).tasks.length, 6);
});
