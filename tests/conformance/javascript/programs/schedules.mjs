// Schedules: kept, paused, labelled, and what they start.

import { assert, define, ended, equal, eventually, noop, program, refused, schedules, sleep, unique } from "../lib.mjs";

const test = program(import.meta.url);
const NIGHTLY = "0 0 3 * * *";
const EVERY_SECOND = "* * * * * *";

/** Keeps a schedule of a workflow that ends at once; gives the names of both. */
async function kept(cronExpression = NIGHTLY, fields = {}) {
  const [name, flow] = [unique("schedule"), await define(noop("a"))];
  const startWorkflowRequest = { name: flow, version: 1, input: { n: 1 }, correlationId: "by-the-clock" };
  await schedules.saveSchedule({ name, cronExpression, zoneId: "Europe/Berlin", startWorkflowRequest, ...fields });
  return { name, flow };
}

const startsOf = (name) => schedules.search(0, 100, "", "*", `scheduleName IN (${name})`);

/** What a schedule has started, as soon as there is something. */
const started = (name) =>
  eventually(`a start of ${name}`, async () => {
    const { totalHits, results } = await startsOf(name);
    return totalHits > 0 && results;
  });

test("a schedule comes back as it was given", async () => {
  const { name, flow } = await kept(NIGHTLY, { description: "each night" });
  const found = await schedules.getSchedule(name);
  equal([found.name, found.cronExpression, found.paused, found.zoneId], [name, NIGHTLY, false, "Europe/Berlin"]);
  equal([found.startWorkflowRequest.name, found.startWorkflowRequest.input], [flow, { n: 1 }]);
  equal((await schedules.getAllSchedules(flow)).map((one) => one.name), [name]);
  await schedules.deleteSchedule(name);
  equal(await schedules.getAllSchedules(flow), []);
  await refused(schedules.getSchedule(name));
});

test("a schedule starts runs that know who started them", async () => {
  const { name, flow } = await kept(EVERY_SECOND);
  const first = (await started(name)).at(-1);
  await schedules.deleteSchedule(name);
  equal([first.scheduleName, first.workflowName, first.state], [name, flow, "EXECUTED"]);
  const { input, correlationId } = await ended(first.workflowId);
  equal([input.n, input._startedByScheduler, input._executionId], [1, name, first.executionId]);
  equal([input._scheduledTime, correlationId], [first.scheduledTime, "by-the-clock"]);
});

test("a paused schedule starts nothing until it is resumed", async () => {
  const { name } = await kept(EVERY_SECOND);
  await schedules.pauseSchedule(name, "lunch");
  equal((await schedules.getSchedule(name)).paused, true);
  const { totalHits: before } = await startsOf(name);
  await sleep(2200);
  equal((await startsOf(name)).totalHits, before);
  await schedules.resumeSchedule(name);
  await eventually("another start", async () => (await startsOf(name)).totalHits > before);
  await schedules.deleteSchedule(name);
});

test("the next times are foretold", async () => {
  const [first, hour, day] = [4_102_444_800_000, 3_600_000, 86_400_000];
  const times = await schedules.getNextFewSchedules(NIGHTLY, first, undefined, 3);
  equal(times, [0, 1, 2].map((at) => first + 3 * hour + at * day));
  await refused(schedules.getNextFewSchedules("nonsense"));
});

test.beyond("a schedule is labelled", async () => {
  const { name } = await kept();
  const [team, cost] = [{ key: "team", value: "a" }, { key: "cost", value: "b" }];
  await schedules.setSchedulerTags([team, cost], name);
  equal(await schedules.getSchedulerTags(name), [team, cost]);
  await schedules.deleteSchedulerTags([team], name);
  equal(await schedules.getSchedulerTags(name), [cost]);
  await schedules.deleteSchedule(name);
});

test("records are put back", async () => {
  await schedules.requeueAllExecutionRecords();
});

test("a schedule of nothing is refused", async () => {
  assert(await refused(schedules.saveSchedule({ name: unique("schedule"), cronExpression: NIGHTLY })));
});
