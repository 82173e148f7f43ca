// What the peers in Node share: arguments, the clock, and the one line of JSON that the benchmark reads.
//
// Called by bullmq.mjs, graphile.mjs and pgboss.mjs, which `cargo xtask bench` runs with:
//   MODE (flow | drain)  TASKS  URL
// flow: tasks are submitted while workers run; the time is from the first submit to the last end.
// drain: all are submitted first; the time is from the start of the workers to the last end.

import { fork } from 'node:child_process';

/** Tasks in one call of the library's own bulk insert. */
export const BULK = 1000;
/** Longest time for one measurement, in milliseconds. */
const PATIENCE_MS = 300_000;

const [mode, tasks, url] = process.argv.slice(2);
export const settings = { mode, tasks: Number(tasks), url };
export const isWorker = process.env.PEER_WORKER === '1';

/** In a worker: tells when so many have ended. */
export function counter(total) {
  let ended = 0;
  return () => {
    ended += 1;
    if (ended === total) process.send('ended');
  };
}

/** In a worker: it is ready to take tasks. */
export function ready() {
  process.send('ready');
}

function worker(script) {
  const child = fork(script, process.argv.slice(2), { env: { ...process.env, PEER_WORKER: '1' } });
  const said = (word) =>
    new Promise((resolve, reject) => {
      child.on('message', (message) => message === word && resolve());
      child.on('exit', (code) => reject(new Error(`the worker ended with ${code}`)));
    });
  return { child, ready: said('ready'), ended: said('ended') };
}

/** Runs one measurement with `submit` in this process and a worker in another one. */
export async function measure(script, submit) {
  const late = setTimeout(() => {
    console.error('no end within the bound');
    process.exit(1);
  }, PATIENCE_MS);
  let began;
  let working;
  if (settings.mode === 'drain') {
    await submit();
    working = worker(script);
    await working.ready;
    began = performance.now();
  } else {
    working = worker(script);
    await working.ready;
    began = performance.now();
    await submit();
  }
  await working.ended;
  const seconds = (performance.now() - began) / 1000;
  clearTimeout(late);
  working.child.removeAllListeners('exit');
  working.ended.catch(() => {});
  working.ready.catch(() => {});
  working.child.kill();
  console.log(JSON.stringify({ tasks: settings.tasks, seconds, tasks_per_second: settings.tasks / seconds }));
  process.exit(0);
}
