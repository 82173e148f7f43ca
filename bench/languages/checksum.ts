//! The number of words of a text and its FNV-1a hash, in TypeScript: see plugins/fixtures/checksum.

import { task } from "../../sdk/ts/src/index.ts";

export default task((_, input: Uint8Array) => {
  let hash = 0x811c9dc5;
  let words = 0;
  let inWord = false;
  for (const byte of input) {
    hash = Math.imul(hash ^ byte, 0x01000193);
    const isSpace = byte <= 32;
    if (!isSpace && !inWord) words += 1;
    inWord = !isSpace;
  }
  return `${words} ${(hash >>> 0).toString(16).padStart(8, "0")}`;
}, { input: "bytes", output: "text" });
