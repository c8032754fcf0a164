// Handlers of events, and what they do about events that tasks publish.
//
// Conductor takes handlers one by one, where this client sends a list; and it looks for new ones once a minute.

import { ask, define, ended, equal, eventually, events, executor, noop, program } from "../lib.mjs";
import { reached, refused, runOf, sdk, start, unique } from "../lib.mjs";

const test = program(import.meta.url);

const handler = (event, actions, fields = {}) => ({ name: unique("handler"), event, active: true, actions, ...fields });
const starting = (name, input, correlationId = unique("event")) => ({
  action: "start_workflow",
  start_workflow: { name, correlationId, input },
});

/** A workflow that publishes what it is given; gives its name and that of the event. */
async function publisher() {
  const input = { n: "${workflow.input.n}", run: "${workflow.input.run}" };
  const event = { name: "e", taskReferenceName: "e", type: "EVENT", sink: "conductor:told", inputParameters: input };
  const flow = await define(event);
  return { flow, event: `conductor:${flow}:told` };
}

/** The run that something has started under this correlation. */
const runUnder = (flow, correlation) =>
  eventually(`the run under ${correlation}`, async () => {
    const answer = await ask("GET", `/workflow/${flow}/correlated/${correlation}?includeClosed=true&includeTasks=true`);
    return (await answer.json())[0];
  });

test.beyond("handlers are added, found, changed and removed", async () => {
  const event = `conductor:${unique("queue")}`;
  const [asleep, awake] = [handler(event, [starting("w", {})], { active: false }), handler(event, [starting("w", {})])];
  await events.addEventHandler(asleep);
  await events.addEventHandlers([awake]);
  const names = async (activeOnly) => (await events.getEventHandlersForEvent(event, activeOnly)).map((one) => one.name).sort();
  equal(await names(true), [awake.name]);
  equal(await names(false), [asleep.name, awake.name].sort());
  await events.updateEventHandler({ ...asleep, active: true, condition: "$.n > 1" });
  const found = await events.getEventHandlerByName(asleep.name);
  equal([found.active, found.condition, found.event], [true, "$.n > 1", event]);
  equal((await events.getAllEventHandlers()).filter((one) => one.event === event).length, 2);
  await events.removeEventHandler(asleep.name);
  await events.removeEventHandler(awake.name);
  equal(await names(false), []);
  await refused(events.removeEventHandler(asleep.name));
});

test.beyond("a handler is labelled", async () => {
  const labelled = handler(`conductor:${unique("queue")}`, [starting("w", {})]);
  await events.addEventHandler(labelled);
  const [team, cost] = [{ key: "team", value: "a" }, { key: "cost", value: "b" }];
  await events.putTagForEventHandler(labelled.name, [team, cost]);
  equal(await events.getTagsForEventHandler(labelled.name), [team, cost]);
  await events.deleteTagForEventHandler(labelled.name, team);
  await events.deleteTagsForEventHandler(labelled.name, [cost]);
  equal(await events.getTagsForEventHandler(labelled.name), []);
  await events.removeEventHandler(labelled.name);
});

test.beyond("only queues of the server itself are connected", async () => {
  equal(await events.getAllQueueConfigs(), {});
});

test.beyond("an event starts a workflow, and that is noted", async () => {
  const [{ flow, event }, target] = [await publisher(), await define(noop("x"))];
  const action = starting(target, { got: "${n}" });
  const acting = handler(event, [action], { condition: "$.n == 5" });
  await events.addEventHandler(acting);
  await ended(await start(flow, { n: 4 }));
  await ended(await start(flow, { n: 5 }));
  const run = await runUnder(target, action.start_workflow.correlationId);
  equal((await ended(run.workflowId)).input.got, 5);
  const done = await eventually("the notes", async () => {
    const answer = await (await ask("GET", `/event/execution/${acting.name}`)).json();
    return answer.totalHits === 2 && answer.results;
  });
  equal(done.map((one) => one.status).sort(), ["COMPLETED", "SKIPPED"]);
});

test.beyond("an event completes a task", async () => {
  const { flow, event } = await publisher();
  const details = { workflowId: "${run}", taskRefName: "w", output: { k: "${n}" } };
  await events.addEventHandler(handler(event, [{ action: "complete_task", complete_task: details }]));
  const waiting = await start(await define({ ...noop("w"), type: "WAIT" }));
  await reached(waiting, "w", "IN_PROGRESS");
  await start(flow, { run: waiting, n: 3 });
  equal((await ended(waiting)).output.k, 3);
});

test("an event task of the client's builder", async () => {
  const run = await start(await define(sdk.conductorEventTask("e", "told")));
  const { output } = await ended(run);
  equal(output.event_produced, `conductor:${(await runOf(run)).workflowName}:told`);
});

test("messages reach the task that waits for them", async () => {
  const run = await start(await define(sdk.pullWorkflowMessages("m", 2)));
  await reached(run, "m", "IN_PROGRESS");
  equal((await ask("POST", `/workflow/${run}/messages`, { k: 1 })).status, 200);
  const { messages, count } = (await ended(run)).output;
  equal([count, messages[0].payload], [1, { k: 1 }]);
  equal((await executor.getWorkflow(run, true)).tasks[0].taskType, "PULL_WORKFLOW_MESSAGES");
});
