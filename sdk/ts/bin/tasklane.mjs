#!/usr/bin/env node
//! `tasklane build ENTRY --out FILE.wasm [--engine quickjs|starlingmonkey]` and `tasklane test [FILE…]`.
//!
//! Called by `taskctl build` and `npm test`. Guarantees: one module from one entry and what it imports, with the source map in it; on QuickJS
//! `async` functions are lowered, since that engine runs no promises by itself; nothing is fetched.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
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
  const map = { sources: sources.map((source) => source.replace(/^(\.\.\/)+/, "")), mappings };
  return `${text(".js")}\nglobalThis.__tasklaneSourceMap = ${JSON.stringify(map)};\n`;
}

async function quickjs(source) {
  const { componentize } = await needed("componentize-qjs");
  const { component } = await componentize({ witPath: WIT, jsSource: source, world: WORLD, sync: true });
  return component;
}

async function starlingmonkey(source) {
  // The package that jco itself calls; it comes with jco.
  const { componentize } = await needed("@bytecodealliance/componentize-js");
  const disableFeatures = ["http", "fetch-event"];
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
