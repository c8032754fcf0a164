// What there is to see: definitions, a handler, schedules, and runs in every state.

const simple = (name) => ({ name, taskReferenceName: name, type: "SIMPLE" });
const noop = (name) => ({ name, taskReferenceName: name, type: "NOOP" });

const TASKS = [
  { name: "pick", description: "From the shelf", retryCount: 1, retryDelaySeconds: 0, ownerEmail: "ada@example.org" },
  { name: "pack", retryCount: 0, ownerEmail: "ada@example.org" },
];

const ORDERING = {
  name: "ordering", version: 1, schemaVersion: 2, ownerEmail: "ada@example.org",
  description: "From the order to the parcel", inputParameters: ["order", "size"],
  tasks: [
    { ...simple("pick"), inputParameters: { order: "${workflow.input.order}" } },
    {
      name: "size", taskReferenceName: "size", type: "SWITCH", evaluatorType: "value-param", expression: "of",
      inputParameters: { of: "${workflow.input.size}" }, defaultCase: [noop("small")],
      decisionCases: {
        big: [{ name: "note", taskReferenceName: "note", type: "SET_VARIABLE", inputParameters: { big: true } }],
      },
    },
    {
      name: "fork", taskReferenceName: "fork", type: "FORK_JOIN",
      forkTasks: [[simple("pack"), noop("label")], [noop("bill")]],
    },
    { name: "join", taskReferenceName: "join", type: "JOIN", joinOn: ["label", "bill"] },
    {
      name: "loop", taskReferenceName: "loop", type: "DO_WHILE", loopOver: [noop("tick")],
      loopCondition: "if ($.loop['iteration'] < 3) { true; } else { false; }",
    },
    { name: "child", taskReferenceName: "child", type: "SUB_WORKFLOW", subWorkflowParam: { name: "dispatch", version: 1 } },
  ],
  outputParameters: { order: "${workflow.input.order}" },
};

const DISPATCH = {
  name: "dispatch", version: 1, schemaVersion: 2, ownerEmail: "ada@example.org",
  tasks: [{ name: "hold", taskReferenceName: "hold", type: "WAIT" }, noop("say")],
};

const HANDLER = {
  name: "on-order", event: "conductor:orders:new", active: true,
  actions: [{ action: "start_workflow", start_workflow: { name: "ordering", input: { order: "${order}" } } }],
};

// One that is due each night, and one that has started something by the time anybody looks, and is paused then.
const NIGHTLY = {
  name: "nightly", cronExpression: "0 0 3 * * *", zoneId: "Europe/Berlin", description: "Each night",
  startWorkflowRequest: { name: "dispatch", version: 1, input: {} },
};
const BUSY = {
  name: "busy", cronExpression: "* * * * * *", zoneId: "UTC",
  startWorkflowRequest: { name: "dispatch", version: 1, input: {}, correlationId: "c-2" },
};

/** Makes it on a server; gives the ids of the runs, and of a task. */
export async function prepare(api) {
  const ask = async (method, path, body) => {
    const headers = { "content-type": "application/json" };
    const told = await fetch(api + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await told.text();
    // What is there from an earlier walk serves.
    if (!told.ok && !text.includes("already exists")) throw new Error(`${method} ${path} was answered with ${told.status}: ${text}`);
    return text;
  };
  const run = (id) => ask("GET", `/workflow/${id}`).then(JSON.parse);
  const start = (name, input) => ask("POST", "/workflow", { name, version: 1, input, correlationId: "c-1" });
  const until = async (what, holds) => {
    for (let tries = 0; tries < 600; tries++) {
      if (await holds()) return;
      await new Promise((done) => setTimeout(done, 50));
    }
    throw new Error(`waited in vain: ${what}`);
  };
  const work = async (id, type, status, more = {}) => {
    // A worker asks first, and is seen among those who have.
    await ask("GET", `/tasks/poll/batch/${type}?count=1&timeout=100&workerid=desk`);
    let task;
    await until(`${type} of ${id}`, async () => {
      const isIt = (task) => task.referenceTaskName === type && ["SCHEDULED", "IN_PROGRESS"].includes(task.status);
      return (task = (await run(id)).tasks.find(isIt));
    });
    const result = { taskId: task.taskId, workflowInstanceId: id, status, workerId: "desk", outputData: { done: true } };
    await ask("POST", "/tasks", { ...result, ...more });
    return task.taskId;
  };

  await ask("POST", "/metadata/taskdefs", TASKS);
  await ask("PUT", "/metadata/workflow", [ORDERING, DISPATCH]);
  await ask("POST", "/event", HANDLER);
  await ask("POST", "/scheduler/schedules", NIGHTLY);
  await ask("POST", "/scheduler/schedules", BUSY);

  const completed = await start("ordering", { order: 1, size: "big" });
  const task = await work(completed, "pick", "COMPLETED", { logs: [{ log: "on shelf nine", createdTime: Date.now() }] });
  await work(completed, "pack", "COMPLETED");
  let child;
  await until("the child", async () => {
    child = (await run(completed)).tasks.find((task) => task.referenceTaskName === "child")?.subWorkflowId;
    return child;
  });
  await ask("POST", `/tasks/${child}/hold/COMPLETED`, {});
  await until("the end", async () => (await run(completed)).status === "COMPLETED");

  const failed = await start("ordering", { order: 2, size: "small" });
  await work(failed, "pick", "COMPLETED");
  await work(failed, "pack", "FAILED", { reasonForIncompletion: "no box is large enough" });
  await until("the failure", async () => (await run(failed)).status === "FAILED");

  await until("a start by the clock", async () => {
    return JSON.parse(await ask("GET", "/scheduler/search/executions?size=1")).totalHits > 0;
  });
  await ask("PUT", "/scheduler/schedules/busy/pause?reason=enough");

  const running = await start("ordering", { order: 3, size: "big" });
  return { completed, child, failed, running, task };
}
