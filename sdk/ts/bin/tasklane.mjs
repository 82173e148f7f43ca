#!/usr/bin/env node
//! `tasklane build ENTRY --out FILE.wasm [--engine quickjs|starlingmonkey]` and `tasklane test [FILE…]`.
//!
//! Called by `taskctl build` and `npm test`. Guarantees: one module from one entry and what it imports, with the source map in it; on QuickJS
//! `async` functions are lowered, since that engine runs no promises by itself; nothing is fetched.

import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const SDK = fileURLToPath(new URL("..", import.meta.url));
/** The contract: beside this package. */
const WIT = join(SDK, "../wit");
const WORLD = "guest";
/** What the host and the engine bring. */
const EXTERNAL = ["tasklane:*", "wasi:*"];
const USAGE = `usage: tasklane build ENTRY --out FILE.wasm [--engine quickjs|starlingmonkey]
       tasklane test [FILE…]          default: test/*.test.ts and test/*.test.js`;

class Refused extends Error {}

/** A package of the project; without it, what brings it. */
async function needed(name) {
  try {
    return await import(name);
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    throw new Refused(`the package ${name} is missing: run \`npm install --ignore-scripts\` (for StarlingMonkey: npm install --save-dev @bytecodealliance/jco@1.35.0)`);
  }
}

/** The module that is built around the entry. */
function main(entry, engine) {
  const prelude = engine === "quickjs" ? `import ${JSON.stringify(join(SDK, "src/engine/prelude.ts"))};\n` : "";
  return `${prelude}import task from ${JSON.stringify(entry)};
if (typeof task?.run !== "function") throw new Error("the entry must have: export default task(…)");
export const handler = { run: (ctx, payload) => task.run(ctx, payload) };
`;
}

/** One file with everything, and its source map in a global that only a stack reads. */
async function bundle(entry, engine) {
  const { build } = await needed("esbuild");
  const lowered = { "async-await": false, "async-generator": false, "for-await": false, "top-level-await": false };
  const result = await build({
    stdin: { contents: main(entry, engine), resolveDir: dirname(entry), sourcefile: "tasklane-main.js" },
    bundle: true,
    write: false,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2022",
    supported: engine === "quickjs" ? lowered : {},
    conditions: ["tasklane-guest", `tasklane-${engine}`, "import", "module"],
    external: EXTERNAL,
    sourcemap: "external",
    sourcesContent: false,
    outdir: ".",
    logLevel: "warning",
  });
  const text = (ending) => result.outputFiles.find((file) => file.path.endsWith(ending))?.text ?? "";
  const { sources, mappings } = JSON.parse(text(".map"));
  const map = { sources: sources.map((source) => source.replace(/^(\.\.\/)+/, "")), mappings: apart(mappings) };
  return `${text(".js")}\nglobalThis.__tasklaneSourceMap = ${JSON.stringify(map)};\n`;
}

/**
 * While QuickJS's componentizer runs the file once, it has WASI but no `wasi:http`: it puts stand-ins in place of what it does not know. A stand-in's
 * streams are not those of `wasi:io`, and it stops there. So both packages have a name that it does not know until it is done, and a version of their own,
 * since `wasi:clocks` needs the real `wasi:io` beside it. Each name is as long as the one that replaces it.
 */
const UNKNOWN = [["wasi:http/", "wasq:http/"], ["wasi:io/", "wasq:io/"]];
const UNKNOWN_VERSION = "@0.2.9";

/** Text in which `wasi:http` and `wasi:io` are called what the componentizer does not know. */
function disguised(text) {
  return text.replace(/wasi:(http|io)(\/[a-z-]+)?@0\.2\.10/g, `wasq:$1$2${UNKNOWN_VERSION}`);
}

/** The contract with the two packages as they are, for clocks, and as nobody knows them, for the rest. */
function disguisedWit() {
  const dir = mkdtempSync(join(tmpdir(), "tasklane-wit-"));
  cpSync(WIT, dir, { recursive: true });
  const rewrite = (from, to) => writeFileSync(join(dir, to), disguised(readFileSync(join(dir, from), "utf8")));
  rewrite("deps/io.wit", "deps/io-unknown.wit");
  rewrite("deps/http.wit", "deps/http.wit");
  rewrite("guest.wit", "guest.wit");
  return dir;
}

/** The component with the names that hosts know, in the same places. */
function undisguised(component) {
  const bytes = Buffer.from(component);
  for (const [name, unknown] of UNKNOWN) {
    for (let at = bytes.indexOf(unknown); at >= 0; at = bytes.indexOf(unknown, at)) at += bytes.write(name, at, "latin1");
  }
  return bytes;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The numbers of a segment of a source map: base 64, five bits a digit, the sign last. */
function decoded(segment) {
  const numbers = [];
  let [value, shift] = [0, 0];
  for (const digit of segment) {
    const bits = DIGITS.indexOf(digit);
    value += (bits & 31) << shift;
    shift += 5;
    if (bits < 32) {
      numbers.push(value & 1 ? -(value >> 1) : value >> 1);
      [value, shift] = [0, 0];
    }
  }
  return numbers;
}

function encoded(numbers) {
  const digits = (number) => {
    let [rest, text] = [number < 0 ? (-number << 1) | 1 : number << 1, ""];
    do {
      const bits = rest & 31;
      rest >>>= 5;
      text += DIGITS[rest > 0 ? bits | 32 : bits];
    } while (rest > 0);
    return text;
  };
  return numbers.map(digits).join("");
}

/** The mappings of a source map, each line to be read by itself: a stack then takes a few of them, not all. */
function apart(mappings) {
  let [source, line, column] = [0, 0, 0];
  const row = (text) => {
    const from = [source, line, column];
    let isFirst = true;
    const segments = text.split(",").filter((segment) => segment !== "").map((segment) => {
      const [at, ...place] = decoded(segment);
      if (place.length === 0) return encoded([at]);
      [source, line, column] = [source + place[0], line + place[1], column + place[2]];
      if (!isFirst) return encoded([at, ...place.slice(0, 3)]);
      isFirst = false;
      return encoded([at, from[0] + place[0], from[1] + place[1], from[2] + place[2]]);
    });
    return segments.join(",");
  };
  return mappings.split(";").map(row).join(";");
}

async function quickjs(source) {
  const { componentize } = await needed("componentize-qjs");
  const witPath = disguisedWit();
  try {
    const { component } = await componentize({ witPath, jsSource: disguised(source), world: WORLD, sync: true });
    return undisguised(component);
  } finally {
    rmSync(witPath, { recursive: true, force: true });
  }
}

async function starlingmonkey(source) {
  // The package that jco itself calls; it comes with jco.
  const { componentize } = await needed("@bytecodealliance/componentize-js");
  // Without "http", the engine's own imports of `wasi:http` trap, and those of the SDK are the same ones.
  const disableFeatures = ["fetch-event"];
  const { component } = await componentize(source, { sourceName: "main.js", witPath: WIT, worldName: WORLD, disableFeatures });
  return component;
}

async function build(entry, out, engine) {
  const path = resolve(entry);
  if (!existsSync(path)) throw new Refused(`the entry ${entry} does not exist: write it, or set [build] entry in tasklane.toml`);
  const source = await bundle(path, engine);
  const component = await (engine === "quickjs" ? quickjs(source) : starlingmonkey(source));
  mkdirSync(dirname(out), { recursive: true });
  writeFileSync(out, component);
}

/** Tests as one file each, for `node --test`. */
async function test(files) {
  const { build } = await needed("esbuild");
  const found = existsSync("test") ? readdirSync("test").filter((name) => /\.test\.[mc]?[jt]s$/.test(name)) : [];
  const entries = files.length > 0 ? files : found.map((name) => join("test", name));
  if (entries.length === 0) throw new Refused("no test/*.test.ts was found");
  const outdir = resolve("dist/test");
  rmSync(outdir, { recursive: true, force: true });
  await build({ entryPoints: entries, bundle: true, format: "esm", platform: "node", target: "node20", sourcemap: "inline", outdir, outExtension: { ".js": ".mjs" }, logLevel: "warning" });
  const built = readdirSync(outdir).map((name) => relative(".", join(outdir, name)));
  return spawnSync(process.execPath, ["--enable-source-maps", "--test", ...built], { stdio: "inherit" }).status ?? 1;
}

async function carryOut() {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { out: { type: "string" }, engine: { type: "string", default: "quickjs" } } });
  const [verb, ...rest] = positionals;
  if (verb === "test") return test(rest);
  const isKnown = ["quickjs", "starlingmonkey"].includes(values.engine);
  if (verb !== "build" || rest.length !== 1 || !values.out || !isKnown) throw new Refused(USAGE);
  await build(rest[0], resolve(values.out), values.engine);
  return 0;
}

try {
  process.exitCode = await carryOut();
} catch (error) {
  // What esbuild found was said already.
  if (error instanceof Refused) console.error(error.message);
  else if (!Array.isArray(error.errors)) console.error(error);
  process.exitCode = 1;
}
