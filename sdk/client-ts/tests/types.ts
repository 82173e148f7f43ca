//! What the compiler must take, and must not: looked at by `tsc`, never run.

import { TaskFailed, Tasklane, TasklaneError } from "../index.js";

export async function used(): Promise<string> {
  const tasklane = new Tasklane({ server: "http://127.0.0.1:7070", token: "t" });
  const greeting = await tasklane.run<string>("greet", { name: "Ada" }, { priority: "high", timeoutMs: 1000 });
  const task = await tasklane.wait((await tasklane.submit("greet", new Uint8Array())).id);
  // @ts-expect-error: no field of a submit.
  await tasklane.submit("greet", 1, { prioritee: 1 });
  for await (const event of tasklane.events()) {
    if (event.event === "tasks") return `${event.data.tasks.length} ${task.state} ${greeting}`;
  }
  return String(new TasklaneError("x").code) + new TaskFailed(task).task.id;
}
