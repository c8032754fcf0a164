// Runs the programs against the server that CONDUCTOR_SERVER_URL names: all, or those whose names are given.
//
//     node run.mjs [PROGRAM[.WORDS OF A CASE]…]
//
// CONFORMANCE_SDK is the directory in whose node_modules the client lies. Programs run side by side, the cases of one
// after each other, and each prints one line. Fails if a case fails, and if one succeeds that is marked as wrong today;
// with CONFORMANCE_REAL=1, for the real server, these marks count for nothing.

import { readdirSync } from "node:fs";

const { CASES } = await import("./lib.mjs");
const REAL = "CONFORMANCE_REAL" in process.env;
const wanted = process.argv.slice(2).map((name) => name.split("."));
// The legacy part of the client talks; what is data here are the lines of the cases.
console.warn = console.info = () => {};
const print = console.log;
console.log = () => {};

const programs = readdirSync(new URL("programs/", import.meta.url))
  .filter((file) => file.endsWith(".mjs"))
  .sort();
for (const file of programs) await import(`./programs/${file}`);
const chosen = CASES.filter(isWanted);
if (!chosen.length) throw new Error(`nothing is named ${process.argv.slice(2).join(" or ")}`);
const failed = await Promise.all([...grouped(chosen).values()].map(inOrder));
process.exit(failed.some(Boolean) ? 1 : 0);

function isWanted(one) {
  if (REAL && one.beyond) return false;
  const named = ([program, words = ""]) => program === one.program && one.what.startsWith(words);
  return !wanted.length || wanted.some(named);
}

function grouped(cases) {
  const programs = new Map();
  for (const one of cases) programs.set(one.program, [...(programs.get(one.program) ?? []), one]);
  return programs;
}

/** Runs the cases of a program; gives how many failed. */
async function inOrder(cases) {
  let failed = 0;
  for (const one of cases) failed += (await passes(one)) ? 0 : 1;
  return failed;
}

async function passes({ program, what, run, fixme }) {
  const began = Date.now();
  const known = REAL ? undefined : fixme;
  const say = (word, more = "") => {
    const seconds = ((Date.now() - began) / 1000).toFixed(1).padStart(5);
    print(`${word.padEnd(4)} ${seconds} s  ${program}: ${what}${more}`);
    return word === "ok";
  };
  try {
    await run();
  } catch (error) {
    return known ? say("ok", ` (FIXME: ${known})`) : say("FAIL", `\n${where(error)}`);
  }
  return known ? say("FAIL", "\n  it is right now: take its mark away") : say("ok");
}

/** The lines of the program that led to it, and what it says. */
function where(error) {
  const lines = (error.stack ?? "").split("\n").filter((line) => line.includes("/programs/"));
  return [
    ...lines.map(
      (line) =>
        `  ${line
          .trim()
          .replace(/.*programs\//, "")
          .replace(")", "")}`,
    ),
    `  ${error.message ?? error}`,
  ].join("\n");
}
