//! The host's `blobs`. A file of its own, so that only those who use it import them.

export { create, openResult, payload } from "tasklane:task/blobs@0.1.0";
import { Writer } from "tasklane:task/blobs@0.1.0";

export type { Blob, Reference, Writer } from "tasklane:task/blobs@0.1.0";

/** Makes what was written the result. */
export const finish = (writer: Writer) => Writer.finish(writer);
