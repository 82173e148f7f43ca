//! An RSS 2.0 or Atom feed in (XML, UTF-8, packed by gzip or not), JSON out, the same shape for both: title, link and entries with absolute links, dates
//! in ISO 8601 and text without markup.
//!
//! An example to copy: TypeScript on StarlingMonkey, since it needs web APIs (`URL`, streams), with a library from npm, JSON out.

import { XMLParser, XMLValidator } from "fast-xml-parser";
import { config, log, PermanentError, task, text, words } from "../../sdk/ts/src/index.ts";

/** Entries that are kept, if the manifest does not say. */
const MAX_ENTRIES_DEFAULT = 500;
/** Longest summary, in characters. */
const SUMMARY_CHARACTERS_MAX = 500;

/** An element: its attributes begin with `@`, its text is `#text`. */
type Element = { [name: string]: Node };
type Node = string | Element | (string | Element)[] | undefined;

interface Entry {
  title: string;
  link: string | null;
  id: string | null;
  published: string | null;
  summary: string;
}

interface Feed {
  format: "rss" | "atom";
  title: string;
  link: string | null;
  entries: Entry[];
  /** Entries beyond the most that are kept. */
  dropped: number;
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: "@",
  parseTagValue: false,
  parseAttributeValue: false,
  removeNSPrefix: false,
  trimValues: true,
});

export default task(async (_, input: Uint8Array) => {
  const feed = read(parse(text(await unpacked(input))));
  log.info("read", { format: feed.format, entries: feed.entries.length, dropped: feed.dropped });
  return feed;
}, { input: "bytes" });

/** The engine notices damage, but not that the end is missing: then the XML has no end either. */
async function unpacked(input: Uint8Array): Promise<Uint8Array> {
  if (input[0] !== 0x1f || input[1] !== 0x8b) return input;
  try {
    const packed = new Response(input as Uint8Array<ArrayBuffer>).body;
    const stream = packed?.pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (error) {
    throw new PermanentError("bad_gzip", `the payload cannot be unpacked: ${words(error)}`);
  }
}

function parse(xml: string): Element {
  const verdict = XMLValidator.validate(xml);
  if (verdict !== true) {
    const { line, col, msg } = verdict.err;
    throw new PermanentError("bad_xml", `line ${line}, column ${col}: ${msg}`, { line, column: col });
  }
  try {
    return parser.parse(xml) as Element;
  } catch (error) {
    throw new PermanentError("bad_xml", words(error));
  }
}

function read(document: Element): Feed {
  const channel = child(child(document["rss"])?.["channel"]);
  if (channel) return rss(channel);
  const feed = child(document["feed"]);
  if (feed) return atom(feed);
  const found = Object.keys(document).filter((name) => !name.startsWith("?")).join(", ");
  throw new PermanentError("not_a_feed", `neither <rss> with a <channel> nor <feed>, but: ${found || "nothing"}`);
}

function rss(channel: Element): Feed {
  const link = absolute(plain(channel["link"]), null);
  const entry = (item: Element): Entry => ({
    title: unmarked(item["title"]),
    link: absolute(plain(item["link"]), link),
    id: plain(item["guid"]) || null,
    published: date(plain(item["pubDate"]) || plain(item["dc:date"])),
    summary: summary(item["description"]),
  });
  return { format: "rss", title: unmarked(channel["title"]), link, ...entries(channel["item"], entry) };
}

function atom(feed: Element): Feed {
  const link = absolute(atomLink(feed), null);
  const entry = (item: Element): Entry => ({
    title: unmarked(item["title"]),
    link: absolute(atomLink(item), link),
    id: plain(item["id"]) || null,
    published: date(plain(item["published"]) || plain(item["updated"])),
    summary: summary(item["summary"] ?? item["content"]),
  });
  return { format: "atom", title: unmarked(feed["title"]), link, ...entries(feed["entry"], entry) };
}

function entries(node: Node, entry: (item: Element) => Entry): { entries: Entry[]; dropped: number } {
  const all = list(node);
  const kept = all.slice(0, maxEntries());
  return { entries: kept.map((item) => entry(child(item) ?? {})), dropped: all.length - kept.length };
}

function maxEntries(): number {
  const max = Number(config("max_entries") ?? MAX_ENTRIES_DEFAULT);
  if (Number.isInteger(max) && max > 0) return max;
  throw new PermanentError("bad_config", "`max_entries` of the manifest must be a whole number over 0");
}

/** The link of an Atom element that is meant for people: `alternate`, or one without a `rel`. */
function atomLink(element: Element): string {
  const links = list(element["link"]).map((link) => child(link) ?? {});
  const fit = links.find((link) => (link["@rel"] ?? "alternate") === "alternate");
  return plain(fit?.["@href"]);
}

function list(node: Node): (string | Element)[] {
  return node === undefined ? [] : Array.isArray(node) ? node : [node];
}

function child(node: Node): Element | undefined {
  const first = list(node)[0];
  return typeof first === "object" ? first : undefined;
}

function plain(node: Node): string {
  const first = list(node)[0];
  if (first === undefined || typeof first === "string") return first ?? "";
  return plain(first["#text"]);
}

function unmarked(node: Node): string {
  return plain(node).replace(/<[^>]*>/g, " ").replace(/\s+/g, " ").trim();
}

function summary(node: Node): string {
  const words = unmarked(node);
  return words.length <= SUMMARY_CHARACTERS_MAX ? words : `${words.slice(0, SUMMARY_CHARACTERS_MAX - 1)}…`;
}

/** An http(s) address, or none: entries are clicked on. */
function absolute(link: string, base: string | null): string | null {
  try {
    const url = base === null ? new URL(link) : new URL(link, base);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}

function date(words: string): string | null {
  const at = new Date(words);
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}
