//! Stacks that name the author's files and lines: the bundler leaves its source map in the module (`bin/tasklane.mjs`).

interface SourceMap {
  sources: string[];
  /** As in a source map, but nothing is carried over from one line of the bundle to the next. */
  mappings: string;
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Frames that are shown. */
const FRAMES_MAX = 16;

/** A stack with the places of the sources, as far as there is a map. Only the lines that it names are read. */
export function readable(stack: string): string {
  const map = (globalThis as { __tasklaneSourceMap?: SourceMap }).__tasklaneSourceMap;
  const lines = stack.split("\n").filter((line) => line.trim() !== "").slice(0, FRAMES_MAX);
  if (map === undefined) return lines.join("\n");
  const rows = map.mappings.split(";");
  const place = (row: string, column: string) => found(map.sources, rows[Number(row) - 1] ?? "", Number(column));
  return lines.map((line) => line.replace(/([^\s()@]+):(\d+):(\d+)/, (whole, _file, row, column) => place(row, column) ?? whole)).join("\n");
}

/** `file:line:column` of the last segment of a line that begins at a column or before it. Maps count from 0, stacks from 1. */
function found(sources: string[], row: string, column: number): string | undefined {
  let best: string | undefined;
  let [at, source, sourceLine, sourceColumn] = [0, 0, 0, 0];
  for (const segment of row.split(",")) {
    const [toColumn, toSource, toLine = 0, toSourceColumn = 0] = numbers(segment);
    at += toColumn ?? 0;
    if (toColumn === undefined || at + 1 > column) break;
    if (toSource === undefined) continue;
    source += toSource;
    sourceLine += toLine;
    sourceColumn += toSourceColumn;
    const file = sources[source];
    if (file !== undefined) best = `${file}:${sourceLine + 1}:${sourceColumn + 1}`;
  }
  return best;
}

/** The numbers of a segment: base 64, five bits a digit, the sign last. */
function numbers(segment: string): number[] {
  const all: number[] = [];
  let [value, shift] = [0, 0];
  for (const digit of segment) {
    const bits = DIGITS.indexOf(digit);
    value += (bits & 31) << shift;
    shift += 5;
    if (bits < 32) {
      all.push(value & 1 ? -(value >> 1) : value >> 1);
      [value, shift] = [0, 0];
    }
  }
  return all;
}
