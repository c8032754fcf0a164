// A browser of our own: Chromium without a window, spoken to through two pipes, with nothing installed.
//
// A page remembers each request with its answer, and everything that went wrong on it.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { typeOf } from "./serve.mjs";

/** Nothing has been on its way for so long: the page is quiet. */
const QUIET_MS = 600;
/** No page needs longer on any machine. */
const PATIENCE_MS = 45_000;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export class Browser {
  /** `elsewhere` has what pages load from other hosts: a function from an address to a file, or nothing. */
  static start(program, size, elsewhere) {
    const profile = mkdtempSync(join(tmpdir(), "partitur-ui-"));
    const flags = [
      "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
      "--disable-extensions", "--disable-background-networking", "--hide-scrollbars", "--force-color-profile=srgb",
      // Nobody else is asked for anything.
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
      "--remote-debugging-pipe", `--user-data-dir=${profile}`, `--window-size=${size.width},${size.height}`,
    ];
    const child = spawn(program, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
    return new Browser(child, profile, elsewhere);
  }

  constructor(child, profile, elsewhere) {
    this.child = child;
    this.profile = profile;
    this.elsewhere = elsewhere;
    this.last = 0;
    this.waiting = new Map();
    this.listeners = new Map();
    let rest = "";
    child.stdio[4].setEncoding("utf8").on("data", (text) => {
      const parts = (rest + text).split("\0");
      rest = parts.pop();
      for (const part of parts) this.heard(JSON.parse(part));
    });
  }

  heard(message) {
    if (message.id) {
      const { done, failed } = this.waiting.get(message.id) ?? {};
      this.waiting.delete(message.id);
      if (message.error) failed?.(new Error(message.error.message));
      else done?.(message.result);
      return;
    }
    this.listeners.get(message.sessionId)?.(message.method, message.params);
  }

  ask(method, params = {}, sessionId) {
    const id = ++this.last;
    this.child.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
    return new Promise((done, failed) => this.waiting.set(id, { done, failed }));
  }

  async page() {
    const { targetId } = await this.ask("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.ask("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page(this, sessionId, targetId);
    this.listeners.set(sessionId, (method, params) => page.heard(method, params));
    for (const domain of ["Page", "Network", "Runtime", "Log"]) await page.ask(`${domain}.enable`);
    await page.ask("Fetch.enable", { patterns: [{ urlPattern: "http*://*" }] });
    return page;
  }

  async stop() {
    const over = new Promise((done) => this.child.once("exit", done));
    this.child.kill();
    await over;
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

export class Page {
  constructor(browser, session, target) {
    this.browser = browser;
    this.session = session;
    this.target = target;
    this.open = new Map();
    this.calls = [];
    this.faults = [];
    this.changed = Date.now();
  }

  ask(method, params) {
    return this.browser.ask(method, params, this.session);
  }

  heard(method, params) {
    const call = this.open.get(params?.requestId);
    switch (method) {
      case "Fetch.requestPaused":
        this.pass(params.requestId, new URL(params.request.url));
        return;
      case "Network.requestWillBeSent":
        this.changed = Date.now();
        // What a page gives itself (blob:, data:) is no call, and its end is not told.
        if (!params.request.url.startsWith("http")) break;
        this.open.set(params.requestId, { method: params.request.method, url: params.request.url });
        break;
      case "Network.responseReceived":
        if (call) call.status = params.response.status;
        break;
      case "Network.loadingFinished":
      case "Network.loadingFailed":
        this.changed = Date.now();
        this.open.delete(params.requestId);
        // What a page gives up by itself (it was left, or the value is not wanted any more) is no fault.
        if (call && !params.canceled) this.calls.push({ ...call, error: params.errorText });
        break;
      case "Runtime.exceptionThrown":
        this.faults.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
        break;
      case "Runtime.consoleAPICalled":
        if (params.type === "error" || params.type === "assert") this.faults.push(said(params.args));
        break;
      case "Log.entryAdded":
        if (params.entry.level === "error") this.faults.push(`${params.entry.text} ${params.entry.url ?? ""}`);
        break;
    }
  }

  /** What is wanted from elsewhere and is not here (fonts) is answered with nothing; it is no fault, and no call. */
  pass(requestId, url) {
    const fulfil = (file) => this.ask("Fetch.fulfillRequest", {
      requestId, responseCode: 200, body: file ? readFileSync(file).toString("base64") : "",
      responseHeaders: [
        { name: "content-type", value: typeOf(file ?? url.pathname) },
        { name: "access-control-allow-origin", value: "*" },
      ],
    });
    const done = url.hostname === "127.0.0.1"
      ? this.ask("Fetch.continueRequest", { requestId })
      : fulfil(this.browser.elsewhere(url.href));
    // A request that was given up meanwhile needs neither.
    done.catch(() => {});
  }

  async go(url) {
    await this.ask("Page.navigate", { url });
    await this.quiet();
  }

  /** Waits until nothing has been on its way for a while. */
  async quiet() {
    const until = Date.now() + PATIENCE_MS;
    this.changed = Date.now();
    while (Date.now() < until) {
      if (this.open.size === 0 && Date.now() - this.changed > QUIET_MS) {
        // A page that is still at work asks for more when it has done that.
        await this.evaluate("new Promise((done) => requestIdleCallback(done))");
        if (this.open.size === 0 && Date.now() - this.changed > QUIET_MS) return;
      }
      await sleep(50);
    }
    const open = [...this.open.values()].map((call) => `${call.method} ${call.url}`);
    throw new Error(`the page does not come to rest: ${open.join(", ")}`);
  }

  async evaluate(expression) {
    const told = await this.ask("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (told.exceptionDetails) throw new Error(told.exceptionDetails.exception?.description ?? expression);
    return told.result.value;
  }

  text() {
    return this.evaluate("document.body.innerText");
  }

  /** Waits until the page shows this. */
  async shows(text) {
    const until = Date.now() + PATIENCE_MS;
    while (!(await this.text()).includes(text)) {
      if (Date.now() > until) throw new Error(`the page never shows «${text}», but: ${await this.text()}`);
      await sleep(100);
    }
  }

  /** Clicks, as a mouse does, what a selector finds; with a text, the first (or last) whose text this is. */
  async click(selector, text, which = "first") {
    const wanted = JSON.stringify([selector, text ?? null, which]);
    const find = `(() => {
      const [selector, text, which] = ${wanted};
      const all = [...document.querySelectorAll(selector)].filter((it) => it.getClientRects().length > 0);
      const found = text === null ? all : all.filter((it) => it.textContent.trim() === text);
      const it = which === "last" ? found.at(-1) : found[0];
      if (!it) return null;
      it.scrollIntoView({ block: "center" });
      const box = it.getBoundingClientRect();
      return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    })()`;
    const until = Date.now() + PATIENCE_MS;
    let place = null;
    while (!(place = await this.evaluate(find))) {
      if (Date.now() > until) throw new Error(`nothing to click: ${selector} ${text ?? ""}`);
      await sleep(100);
    }
    const mouse = (type) => this.ask("Input.dispatchMouseEvent", { type, ...place, button: "left", clickCount: 1 });
    for (const type of ["mouseMoved", "mousePressed", "mouseReleased"]) await mouse(type);
    await this.quiet();
  }

  async type(text) {
    await this.ask("Input.insertText", { text });
    await this.quiet();
  }

  async picture() {
    const { data } = await this.ask("Page.captureScreenshot", { format: "png" });
    return Buffer.from(data, "base64");
  }

  /** What has happened since the last time. */
  take() {
    const taken = { calls: this.calls, faults: this.faults };
    this.calls = [];
    this.faults = [];
    return taken;
  }

  close() {
    return this.browser.ask("Target.closeTarget", { targetId: this.target });
  }
}

const said = (args) =>
  args.map((arg) => arg.value ?? arg.description ?? JSON.stringify(arg.preview ?? null)).join(" ");
