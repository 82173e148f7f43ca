//! A Markdown document in (UTF-8), an HTML fragment out. Raw HTML in the document is shown as text, never passed on, and links
//! lead only where markdown-it lets them (no `javascript:`): the fragment is safe to show.
//!
//! An example to copy: TypeScript on QuickJS, a library from npm, text in and out, a setting from the manifest.

import MarkdownIt from "markdown-it";
import { config, log, PermanentError, task, text } from "../../sdk/ts/src/index.ts";

/** Largest document in bytes, if the manifest does not say. */
const MAX_BYTES_DEFAULT = 1_048_576;

// Made, and used once, while the module is built: each task starts with what is here, patterns compiled. Without the first use a small
// document costs 30 times as much.
const markdown = new MarkdownIt({ html: false, linkify: true, typographer: false });
markdown.render("# A\n\n**b** *c* `d` [e](https://example.org) https://example.org ![f](g)\n\n- h\n\n| i |\n|---|\n| j |\n");

export default task((_, input: Uint8Array) => {
  checkSize(input.length);
  const document = text(input);
  // It would be cut out silently, and the author would not know why.
  if (document.includes("\0")) throw new PermanentError("bad_text", "the document has a NUL character: is it Markdown?");
  const html = markdown.render(document);
  log.info("rendered", { bytes: input.length, characters: html.length });
  return html;
}, { input: "bytes", output: "text" });

function checkSize(bytes: number): void {
  const max = Number(config("max_bytes") ?? MAX_BYTES_DEFAULT);
  if (!Number.isInteger(max) || max < 1) throw new PermanentError("bad_config", "`max_bytes` of the manifest must be a whole number over 0");
  if (bytes > max) throw new PermanentError("too_large", `the document has ${bytes} bytes, and may have ${max}`);
}
