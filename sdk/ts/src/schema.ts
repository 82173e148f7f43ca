//! What an input must be: any library that follows Standard Schema (zod, valibot, arktype), or has `parse` as zod has it.

import { PermanentError, words } from "./errors.ts";

interface Issue {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

/** A Standard Schema, or something with `parse`. */
export type Schema<Out> =
  | {
      readonly "~standard": {
        readonly validate: (
          value: unknown,
        ) => { readonly value: Out; readonly issues?: undefined } | { readonly issues: ReadonlyArray<Issue> } | Promise<unknown>;
      };
    }
  | { parse(value: unknown): Out };

/** The value as the schema has it; a permanent `bad_input` that names what does not fit. */
export async function check<Out>(schema: Schema<Out>, value: unknown): Promise<Out> {
  if ("~standard" in schema) {
    const checked = (await schema["~standard"].validate(value)) as { value: Out; issues?: ReadonlyArray<Issue> };
    if (checked.issues === undefined) return checked.value;
    throw new PermanentError("bad_input", checked.issues.map(sentence).join("; "));
  }
  try {
    return schema.parse(value);
  } catch (error) {
    throw new PermanentError("bad_input", words(error));
  }
}

/** `sizes[1].width: Expected number`. */
function sentence(issue: Issue): string {
  let path = "";
  for (const step of issue.path ?? []) {
    const key = typeof step === "object" ? step.key : step;
    path += typeof key === "number" ? `[${key}]` : `${path === "" ? "" : "."}${String(key)}`;
  }
  return `${path === "" ? "the input" : `\`${path}\``}: ${issue.message}`;
}
