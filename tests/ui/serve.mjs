// The files of a web page, and behind them a server: whatever begins with /api goes there.

import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { createServer, request } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
  ".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".ico": "image/x-icon",
  ".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".wasm": "application/wasm",
};

export const typeOf = (file) => TYPES[extname(file)] ?? "application/octet-stream";

/** Serves a directory on a free port; gives the address. */
export function serve(directory, server) {
  const web = createServer((asked, answer) => {
    const { pathname } = new URL(asked.url, "http://127.0.0.1");
    if (pathname.startsWith("/api/")) return pass(asked, answer, server);
    if (pathname === "/context.js") return context(directory, answer);
    const wanted = join(directory, normalize(decodeURIComponent(pathname)));
    const isThere = wanted.startsWith(directory) && existsSync(wanted) && statSync(wanted).isFile();
    // A page of the program is no file: the program draws it.
    const file = isThere ? wanted : join(directory, "index.html");
    if (!isThere && extname(pathname)) {
      answer.writeHead(404).end();
      return;
    }
    answer.writeHead(200, { "content-type": typeOf(file) });
    createReadStream(file).pipe(answer);
  });
  return new Promise((done) => web.listen(0, "127.0.0.1", () => done({
    address: `http://127.0.0.1:${web.address().port}`,
    stop: () => web.close(),
  })));
}

/** The switches of the page, and over them what a server without agents adds. */
function context(directory, answer) {
  const file = join(directory, "context.js");
  const own = existsSync(file) ? readFileSync(file, "utf8") : "";
  answer.writeHead(200, { "content-type": TYPES[".js"] });
  answer.end(`${own}
window.conductor = window.conductor || {};
window.conductor.CONDUCTOR_INTEGRATIONS_AI_ENABLED = false;
`);
}

function pass(asked, answer, server) {
  const url = new URL(asked.url, server);
  const further = request(url, { method: asked.method, headers: { ...asked.headers, host: url.host } }, (told) => {
    answer.writeHead(told.statusCode, told.headers);
    told.pipe(answer);
  });
  further.on("error", (error) => answer.writeHead(502).end(String(error)));
  asked.pipe(further);
}
