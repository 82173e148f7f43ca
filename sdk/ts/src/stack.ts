//! Stacks that name the author's files and lines: the bundler leaves its source map in the module (`bin/tasklane.mjs`).

interface SourceMap {
  sources: string[];
  mappings: string;
}

/** One place: line and column of the bundle, then file, line and column of the source. All but the file count from 1. */
type Place = [line: number, column: number, source: number, sourceLine: number, sourceColumn: number];

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Frames that are shown. */
const FRAMES_MAX = 16;

let places: Place[] | undefined;

/** A stack with the places of the sources, as far as there is a map. */
export function readable(stack: string): string {
  const map = (globalThis as { __tasklaneSourceMap?: SourceMap }).__tasklaneSourceMap;
  const lines = stack.split("\n").filter((line) => line.trim() !== "").slice(0, FRAMES_MAX);
  if (map === undefined) return lines.join("\n");
  places ??= decoded(map.mappings);
  const known = places;
  return lines
    .map((line) => line.replace(/([^\s()@]+):(\d+):(\d+)/, (whole, _file, row, column) => found(known, map, Number(row), Number(column)) ?? whole))
    .join("\n");
}

function found(places: Place[], map: SourceMap, line: number, column: number): string | undefined {
  let best: Place | undefined;
  for (const place of places) {
    if (place[0] > line) break;
    if (place[0] === line && place[1] <= column) best = place;
  }
  const source = best === undefined ? undefined : map.sources[best[2]];
  return best === undefined || source === undefined ? undefined : `${source}:${best[3]}:${best[4]}`;
}

function decoded(mappings: string): Place[] {
  const all: Place[] = [];
  let [source, sourceLine, sourceColumn] = [0, 0, 0];
  mappings.split(";").forEach((row, line) => {
    let column = 0;
    for (const segment of row.split(",")) {
      const [toColumn, toSource, toLine, toSourceColumn] = numbers(segment);
      if (toColumn === undefined) continue;
      column += toColumn;
      if (toSource === undefined) continue;
      source += toSource;
      sourceLine += toLine ?? 0;
      sourceColumn += toSourceColumn ?? 0;
      all.push([line + 1, column + 1, source, sourceLine + 1, sourceColumn + 1]);
    }
  });
  return all;
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
