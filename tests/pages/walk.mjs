// Visits the pages that `partitur graph` and `partitur report` write, as a person does: folds, searches, moves, and uses
// the keys. Prints a line for each thing that was right, and fails with the first that is not.
//
//   node walk.mjs CHROMIUM DIRECTORY [PICTURES]      wide.html, small.html and report.html are in the directory

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { Browser } from "../ui/browser.mjs";

const [program, directory, pictures] = process.argv.slice(2);
const SIZE = { width: 1200, height: 800 };
const browser = Browser.start(program, SIZE, () => null);
const page = await browser.page();
const ok = (words) => console.log(`ok ${words}`);

const open = (name) => page.go(pathToFileURL(join(directory, name)).href);
const shown = () => page.evaluate(`new Promise((done) => setTimeout(() => requestAnimationFrame(() =>
  done(document.getElementById("canvas").toDataURL())), 150))`);
const of = (selector) => page.evaluate(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ""`);
const isHidden = (selector) => page.evaluate(`document.querySelector(${JSON.stringify(selector)}).hidden`);
const groups = async () => (await of("#group-list")).split("\n").filter(Boolean);
const key = async (key, text) => {
  await page.ask("Input.dispatchKeyEvent", { type: "keyDown", key, text });
  await page.ask("Input.dispatchKeyEvent", { type: "keyUp", key });
};
const mouse = (type, x, y, more = {}) => page.ask("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1, ...more });
const changes = async (what, act) => {
  const before = await shown();
  await act();
  assert.notEqual(await shown(), before, `${what} changes nothing that is seen`);
};
const click = (selector) => page.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);

async function folds() {
  await open("wide.html");
  assert.deepEqual((await groups()).map((words) => words[0]), ["▸", "▸", "▸"], "a large graph is folded at first");
  await changes("unfolding a group", () => click("#group-list button"));
  assert.deepEqual((await groups()).map((words) => words[0]), ["▾", "▸", "▸"]);
  await changes("unfolding all", () => click("#unfold"));
  assert.ok((await groups()).every((words) => words.startsWith("▾")));
  await changes("folding all", () => click("#fold"));
  assert.ok((await groups()).every((words) => words.startsWith("▸")));
  ok("groups fold and unfold");
}

async function searches() {
  await key("/");
  await page.ask("Input.insertText", { text: "check-17" });
  const found = (await of("#found")).split("\n").filter(Boolean);
  assert.deepEqual([found[0], found.length], ["check-17", 11]);
  await changes("going to what was found", () => key("Enter", "\r"));
  assert.equal(await isHidden("#card"), false);
  const card = await of("#card");
  assert.ok(card.startsWith("check-17") && card.includes("build-17") && card.includes("report"), card);
  assert.ok((await groups()).some((words) => words.startsWith("▾")), "its group has unfolded");
  await page.evaluate(`document.getElementById("search").focus()`);
  await key("Escape");
  assert.equal(await page.evaluate(`document.getElementById("search").value`), "");
  await page.ask("Input.insertText", { text: "no such task" });
  await page.evaluate(`document.getElementById("search").value = "no such task"`);
  await page.evaluate(`document.getElementById("search").dispatchEvent(new Event("input"))`);
  assert.equal((await of("#found")).trim(), "nothing has this in its name");
  await page.evaluate(`document.getElementById("search").focus()`);
  await key("Escape");
  ok("a task is found, gone to, and told of");
}

async function moves() {
  await changes("the key 0", () => key("0", "0"));
  await changes("dragging", async () => {
    await mouse("mousePressed", 700, 700);
    await mouse("mouseMoved", 640, 640, { buttons: 1 });
    await mouse("mouseMoved", 600, 600, { buttons: 1 });
    await mouse("mouseReleased", 600, 600);
  });
  await changes("the wheel", () => mouse("mouseWheel", 600, 400, { deltaX: 0, deltaY: -300, button: "none" }));
  for (const arrow of ["ArrowLeft", "ArrowUp", "+", "-"]) {
    await changes(`the key ${arrow}`, () => key(arrow));
  }
  await key("0", "0");
  await key("Escape");
  assert.equal(await isHidden("#card"), true, "nothing is chosen any more");
  const home = await shown();
  await changes("the key -", () => key("-", "-"));
  await key("0", "0");
  assert.equal(await shown(), home, "the key 0 shows all, as before");
  ok("it is dragged, zoomed, and moved by keys");
}

async function states() {
  await open("small.html");
  const legend = await of("#legend");
  for (const words of ["succeeded 3", "failed 1"]) assert.ok(legend.includes(words), legend);
  await changes("following the critical path", () => click("#follow"));
  assert.equal(await isHidden("#card"), false);
  ok("the state of a run is told");
}

async function report() {
  await open("report.html");
  const text = await page.text();
  for (const words of ["small", "load", "bad"]) assert.ok(text.includes(words), `${words} is not in ${text}`);
  assert.ok(await page.evaluate(`document.querySelectorAll("svg").length > 0`), "it has charts");
  const wide = await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth");
  assert.ok(wide, "it is wider than the window");
  ok("a report shows its charts");
}

async function keep(name, scheme) {
  await page.ask("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
  await open(`${name}.html`);
  const { data } = await page.ask("Page.captureScreenshot", { format: "png" });
  writeFileSync(join(pictures, `${name}-${scheme}.png`), Buffer.from(data, "base64"));
}

try {
  await folds();
  await searches();
  await moves();
  await states();
  await report();
  for (const name of pictures ? ["wide", "small", "report"] : []) {
    for (const scheme of ["light", "dark"]) await keep(name, scheme);
  }
  assert.deepEqual(page.faults, [], "a page complains");
  assert.deepEqual(page.calls, [], "a page asks for something");
  ok("no page complains or asks anybody for anything");
} finally {
  await browser.stop();
}
