// pg-boss: bulks of 1,000 jobs, a worker process of its own that fetches 500 at a time, and at once again while there are as many.

import { PgBoss } from 'pg-boss';
import { BULK, counter, isWorker, measure, ready, settings } from './common.mjs';

const NAME = `peer-${settings.mode}`;
const FETCHED = 500;

const boss = new PgBoss({ connectionString: settings.url, schedule: false, supervise: false });
boss.on('error', (error) => console.error(error));
await boss.start();

if (isWorker) {
  const ended = counter(settings.tasks);
  // What a fetch took counts as ended when its completion is committed: when the next fetch comes, or soon after the last one.
  const COMMITTED_MS = 50;
  let before = 0;
  let last;
  const flush = () => { for (; before > 0; before -= 1) ended(); };
  await boss.work(NAME, { batchSize: FETCHED, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 }, async (jobs) => {
    flush();
    before = jobs.length;
    clearTimeout(last);
    last = setTimeout(flush, COMMITTED_MS);
  });
  ready();
} else {
  await boss.createQueue(NAME);
  await measure(new URL(import.meta.url).pathname, async () => {
    for (let done = 0; done < settings.tasks; done += BULK) {
      const count = Math.min(BULK, settings.tasks - done);
      await boss.insert(NAME, Array.from({ length: count }, (_, at) => ({ data: { n: done + at } })));
    }
  });
}
