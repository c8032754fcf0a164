// Conductor's UI before a server: every page is visited, and nothing may go wrong on any of them.
//
//   node walk.mjs DIRECTORY-OF-THE-UI http://127.0.0.1:8080 CALLS.TXT [PICTURES]     as a person does, with Chromium
//   node walk.mjs --ask http://127.0.0.1:8080 CALLS.TXT                              what the pages asked then, asked again
//
// CALLS.TXT holds what each page asked, and how it was answered. `UPDATE_CALLS=1` writes it anew.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { Browser } from "./browser.mjs";
import { serve } from "./serve.mjs";
import { prepare } from "./site.mjs";

const SIZE = { width: 1500, height: 1000 };
const EDITOR = /^https:\/\/cdn\.jsdelivr\.net\/npm\/monaco-editor@[^/]+\//;

/** What is done on each page, in this order. */
const pages = ({ completed, child, failed, running }) => [
  ["search for runs", async (page) => {
    await page.visit("/executions");
    await page.shows(completed);
    await page.click("button", "Search");
    await page.shows(failed);
  }],
  ["search for runs of a name", async (page) => {
    await page.visit("/executions?workflowType=dispatch");
    await page.shows(child);
  }],
  ["a completed run", async (page) => {
    await page.visit(`/execution/${completed}`);
    await page.shows("Completed");
    await page.picture("diagram");
  }],
  ["the tabs of a run", async (page) => {
    await page.visit(`/execution/${completed}`);
    for (const [tab, shown] of [
      ["Task List", "pick"], ["Timeline", "pick"], ["Summary", completed], ["Workflow Input/Output", "Output"],
      ["JSON", "JSON"], ["Variables", "big"], ["Tasks to Domain", "Domain"],
    ]) {
      await page.click("[role=tab]", tab);
      await page.shows(shown);
      await page.picture(tab.replaceAll(/\W+/g, "-").toLowerCase());
    }
  }],
  ["a task", async (page) => {
    await page.visit(`/execution/${completed}`);
    await page.click("#viewport-container *", "pick");
    await page.shows("Summary");
    await page.picture("opened");
    for (const tab of ["Input", "Output", "Logs", "JSON", "Definition"]) {
      await page.click("[role=tab]", tab, "last");
      await page.picture(tab.toLowerCase());
    }
  }],
  ["a failed run", async (page) => {
    await page.visit(`/execution/${failed}`);
    await page.shows("Failed");
  }],
  ["a run is paused, goes on and is terminated", async (page) => {
    await page.visit(`/execution/${running}`);
    for (const [action, state] of [["Pause", "Paused"], ["Resume", "Running"], ["Terminate", "Terminated"]]) {
      await page.click("button", "Actions");
      await page.click("[role=menuitem], li, button", action);
      await page.shows(state);
    }
  }],
  ["a failed run is retried", async (page) => {
    await page.visit(`/execution/${failed}`);
    await page.click("button", "Actions");
    await page.picture("actions");
    await page.click("[role=menuitem], li, button", "Retry - from failed task");
    await page.shows("Running");
  }],
  ["definitions", async (page) => {
    await page.visit("/workflowDef");
    await page.shows("From the order to the parcel");
  }],
  ["a definition", async (page) => {
    await page.visit("/workflowDef/ordering/1");
    await page.shows("pick");
  }],
  ["a new definition", (page) => page.visit("/newWorkflowDef")],
  ["start", async (page) => {
    await page.visit("/runWorkflow");
    await page.click("input[role=combobox]");
    await page.click("[role=option]", "dispatch");
    await page.picture("chosen");
    await page.click("button", "Run workflow");
    await page.shows("Workflow created");
  }],
  ["task definitions", async (page) => {
    await page.visit("/taskDef");
    await page.shows("From the shelf");
  }],
  ["a task definition", async (page) => {
    await page.visit("/taskDef/pick");
    await page.shows("pick");
  }],
  ["a new task definition", (page) => page.visit("/newTaskDef")],
  ["event handlers", async (page) => {
    await page.visit("/eventHandlerDef");
    await page.shows("on-order");
  }],
  ["an event handler", async (page) => {
    await page.visit("/eventHandlerDef/on-order");
    await page.shows("Start Workflow");
  }],
  ["a new event handler", (page) => page.visit("/newEventHandlerDef")],
  ["events", (page) => page.visit("/eventMonitor")],
  ["schedules", async (page) => {
    await page.visit("/scheduleDef");
    await page.shows("nightly");
    await page.shows("Inactive");
  }],
  ["a schedule", async (page) => {
    await page.visit("/scheduleDef/nightly");
    await page.shows("nightly");
    await page.picture("opened");
  }],
  ["a new schedule", (page) => page.visit("/newScheduleDef")],
  ["what schedules have started", async (page) => {
    await page.visit("/schedulerExecs");
    await page.shows("busy");
  }],
  ["queues", async (page) => {
    await page.visit("/taskQueue");
    await page.shows("pack");
  }],
];

/** What is different each time gets a name: ids and points in time. */
const plain = (url, ids) => {
  let text = decodeURIComponent(url.replaceAll("+", " "));
  for (const [name, id] of Object.entries(ids)) text = text.replaceAll(id, `{${name}}`);
  return text.replaceAll(/\b1[6-9]\d{11}\b/g, "{time}").replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "{id}");
};

async function walk(directory, server, pictures) {
  const ids = await prepare(`${server}/api`);
  const web = await serve(directory, server);
  const editor = process.env.UI_EDITOR ?? "";
  const elsewhere = (url) => {
    const file = EDITOR.test(url) ? join(editor, url.replace(EDITOR, "")) : "";
    return file && existsSync(file) ? file : null;
  };
  const browser = Browser.start(process.env.CHROMIUM ?? "chromium", SIZE, elsewhere);
  if (pictures) mkdirSync(pictures, { recursive: true });
  const told = [];
  const wrong = [];
  const only = process.env.ONLY;
  for (const [at, [name, act]] of pages(ids).entries()) {
    if (only && !name.includes(only)) continue;
    const page = await browser.page();
    const picture = page.picture.bind(page);
    page.visit = (path) => page.go(web.address + path);
    page.picture = async (part) => {
      if (!pictures) return;
      const file = `${String(at + 1).padStart(2, "0")}-${name.replaceAll(/\W+/g, "-")}${part ? `-${part}` : ""}.png`;
      writeFileSync(join(pictures, file), await picture());
    };
    const started = Date.now();
    try {
      await act(page);
    } catch (error) {
      wrong.push(`${name}: ${error.message.slice(0, 600)}`);
    }
    await page.picture();
    const { calls, faults } = page.take();
    const own = calls.filter((call) => call.url.startsWith(web.address));
    const asked = own.filter((call) => call.url.startsWith(`${web.address}/api/`));
    const lines = asked.map((call) => `${call.method} ${plain(call.url.slice(web.address.length), ids)} ${call.status}`);
    told.push(`# ${name}\n${[...new Set(lines)].sort().join("\n")}\n`);
    const failed = own.filter((call) => !(call.status < 400));
    wrong.push(...failed.map((call) => `${name}: ${call.method} ${call.url} ${call.status} ${call.error ?? ""}`));
    wrong.push(...faults.map((fault) => `${name}: ${fault}`));
    console.log(`${failed.length + faults.length ? "wrong" : "ok"} ${name} (${Date.now() - started} ms)`);
    await page.close();
  }
  await browser.stop();
  web.stop();
  return { text: told.join("\n"), wrong };
}

/** Asks again what the pages asked, where it only reads. */
async function askAgain(server, calls) {
  const ids = await prepare(`${server}/api`);
  const wrong = [];
  const reads = new Set(calls.split("\n").filter((line) => line.startsWith("GET ")));
  for (const line of reads) {
    const [, path, status] = /^GET (.*) (\d+)$/.exec(line);
    let real = path.replaceAll("{time}", String(Date.now() - 86_400_000));
    for (const [name, id] of Object.entries(ids)) real = real.replaceAll(`{${name}}`, id);
    const told = await fetch(server + encodeURI(real).replaceAll("#", "%23"));
    const text = await told.text();
    if (told.status !== Number(status)) wrong.push(`${line}: was answered with ${told.status}: ${text}`);
    else console.log(`ok ${line}`);
  }
  return wrong;
}

const [first, server, file, pictures] = process.argv.slice(2);
let wrong;
if (first === "--ask") {
  wrong = await askAgain(server, readFileSync(file, "utf8"));
} else {
  const result = await walk(first, server, pictures);
  wrong = result.wrong;
  const known = existsSync(file) ? readFileSync(file, "utf8") : "";
  if (process.env.UPDATE_CALLS) writeFileSync(file, result.text);
  else if (!process.env.ONLY && known !== result.text) wrong.push(`what the pages ask has changed:\n${result.text}`);
}
for (const fault of wrong) console.log(`wrong: ${fault}`);
process.exit(wrong.length === 0 ? 0 : 1);
