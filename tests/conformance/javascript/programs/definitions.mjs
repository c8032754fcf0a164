// Definitions of workflows and tasks: registered, replaced, listed, labelled, removed; and handlers of events.

import {
  assert,
  ask,
  clients,
  define,
  equal,
  executor,
  flowOf,
  metadata,
  noop,
  program,
  refused,
  sdk,
  unique,
} from "../lib.mjs";
import { ended, start, taskDef } from "../lib.mjs";

const test = program(import.meta.url);

test("a workflow comes back as it was given", async () => {
  const flow = flowOf(sdk.simpleTask("a", "any", { n: "${workflow.input.n}" }), noop("b"))
    .description("says what it is for")
    .inputParameters(["n"])
    .outputParameters({ m: "${a.output.m}" })
    .variables({ v: { x: [1, null] } })
    .inputTemplate({ n: 1 })
    .timeoutPolicy("TIME_OUT_WF")
    .timeoutSeconds(60)
    .failureWorkflow("undo")
    .restartable(false)
    .enableStatusListener("sink");
  await flow.register();
  const given = flow.toWorkflowDef();
  const found = await metadata.getWorkflowDef(flow.getName(), 1);
  for (const field of Object.keys(given).filter((one) => one !== "tasks")) equal(found[field], given[field], field);
  equal(
    found.tasks.map((task) => [task.taskReferenceName, task.type]),
    [
      ["a", "SIMPLE"],
      ["b", "NOOP"],
    ],
  );
});

test("versions stand side by side", async () => {
  const flow = flowOf(noop("old"));
  await flow.register();
  await new sdk.ConductorWorkflow(executor, flow.getName(), 3)
    .timeoutSeconds(0)
    .ownerEmail("a@example.com")
    .add(noop("new"))
    .register();
  equal((await metadata.getWorkflowDef(flow.getName())).version, 3);
  equal((await metadata.getWorkflowDef(flow.getName(), 1)).tasks[0].taskReferenceName, "old");
  await refused(metadata.getWorkflowDef(flow.getName(), 2));
  const listed = (await metadata.getAllWorkflowDefs()).filter((one) => one.name === flow.getName());
  equal(listed.map((one) => one.version).sort(), [1, 3]);
});

test("the same version is replaced only on request", async () => {
  const flow = flowOf(noop("old"));
  await metadata.registerWorkflowDef(flow.toWorkflowDef());
  await refused(metadata.registerWorkflowDef(flow.toWorkflowDef(), false));
  await metadata.registerWorkflowDef({ ...flow.toWorkflowDef(), tasks: [noop("new")] }, true);
  equal((await metadata.getWorkflowDef(flow.getName())).tasks[0].taskReferenceName, "new");
});

test("a workflow is removed", async () => {
  const name = await define(noop("a"));
  await metadata.unregisterWorkflow(name, 1);
  await refused(metadata.getWorkflowDef(name));
  await refused(start(name));
});

test("a wrong workflow is refused", async () => {
  const message = await refused(
    executor.registerWorkflow(true, sdk.workflow(unique("flow"), [noop("same"), noop("same")])),
  );
  assert(message.length > 10, message);
  await refused(executor.registerWorkflow(true, sdk.workflow(unique("flow"), [])));
});

test("a task definition comes back as it was given", async () => {
  const given = sdk.taskDefinition({
    name: unique("task"),
    description: "why",
    retryCount: 4,
    retryLogic: "EXPONENTIAL_BACKOFF",
    retryDelaySeconds: 2,
    timeoutSeconds: 90,
    timeoutPolicy: "RETRY",
    responseTimeoutSeconds: 30,
    concurrentExecLimit: 3,
    rateLimitPerFrequency: 5,
    rateLimitFrequencyInSeconds: 2,
    inputTemplate: { a: [1] },
    inputKeys: ["a"],
    outputKeys: ["b"],
    ownerEmail: "test@example.com",
  });
  await metadata.registerTask(given);
  const found = await metadata.getTask(given.name);
  for (const field of Object.keys(given).filter((one) => one !== "ownerApp")) equal(found[field], given[field], field);
  assert(
    (await metadata.getAllTaskDefs()).some((one) => one.name === given.name),
    "it is not in the list",
  );
});

test("several task definitions at once", async () => {
  const names = [unique("task"), unique("task")];
  await metadata.registerTasks(names.map((name) => sdk.taskDefinition({ name, timeoutSeconds: 0 })));
  for (const name of names) equal((await metadata.getTask(name)).name, name);
});

test("a task definition is updated only if it is there", async () => {
  const definition = sdk.taskDefinition({ name: unique("task"), timeoutSeconds: 0, retryCount: 1 });
  await refused(metadata.updateTask(definition));
  await metadata.registerTask(definition);
  await metadata.updateTask({ ...definition, retryCount: 2 });
  equal((await metadata.getTask(definition.name)).retryCount, 2);
});

test("a task definition is removed", async () => {
  const name = await taskDef();
  await metadata.unregisterTask(name);
  await refused(metadata.getTask(name));
});

test.beyond("labels of workflows and tasks", async () => {
  const [flow, task] = [await define(noop("a")), await taskDef()];
  const [one, two] = [
    { key: "team", value: "a" },
    { key: "cost", value: "b" },
  ];
  await metadata.addWorkflowTag(one, flow);
  equal(await metadata.getWorkflowTags(flow), [one]);
  await metadata.setWorkflowTags([two], flow);
  equal(await metadata.getWorkflowTags(flow), [two]);
  await metadata.deleteWorkflowTag(two, flow);
  equal(await metadata.getWorkflowTags(flow), []);
  await metadata.addTaskTag(one, task);
  await metadata.setTaskTags([two], task);
  equal(await metadata.getTaskTags(task), [two]);
  await metadata.deleteTaskTag(two, task);
  equal(await metadata.getTaskTags(task), []);
});

test("handlers of events", async () => {
  const events = clients.getEventClient();
  const [flow, name] = [await define(noop("a")), unique("handler")];
  const event = `conductor:${unique("queue")}`;
  const handler = {
    name,
    event,
    active: false,
    actions: [{ action: "start_workflow", start_workflow: { name: flow, input: { n: "${n}" } } }],
  };
  equal((await ask("POST", "/event", handler)).status, 200);
  const [found] = await events.getEventHandlersForEvent(event, false);
  equal([found.name, found.actions[0].start_workflow.name], [name, flow]);
  await events.updateEventHandler({ ...handler, condition: "true" });
  assert((await events.getAllEventHandlers()).some((one) => one.name === name && one.condition === "true"));
  await events.removeEventHandler(name);
  equal(await events.getEventHandlersForEvent(event, false), []);
});

test.beyond("handlers of events, several at once", async () => {
  const events = clients.getEventClient();
  const names = [unique("handler"), unique("handler")];
  const flow = await define(noop("a"));
  const handlerOf = (name) => ({
    name,
    event: `conductor:${name}`,
    active: false,
    actions: [{ action: "start_workflow", start_workflow: { name: flow } }],
  });
  await events.addEventHandlers(names.map(handlerOf));
  for (const name of names) equal((await events.getEventHandlersForEvent(`conductor:${name}`, false)).length, 1);
  for (const name of names) await events.removeEventHandler(name);
});

test("an old client's resources", async () => {
  const client = clients.getClient();
  const name = await define(noop("a"));
  equal((await client.metadataResource.get(name)).name, name);
  const run = await client.workflowResource.startWorkflow({ name });
  equal((await ended(run)).workflowId, run);
  equal((await client.healthCheckResource.doCheck()).healthy, true);
});
