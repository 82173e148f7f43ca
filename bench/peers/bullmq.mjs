// BullMQ: bulks of 1,000 jobs, a worker process of its own that runs 200 at once and does nothing.

import { Queue, Worker } from 'bullmq';
import { BULK, counter, isWorker, measure, ready, settings } from './common.mjs';

const NAME = `peer-${settings.mode}`;
const CONCURRENCY = 200;
const address = new URL(settings.url);
const connection = { host: address.hostname, port: Number(address.port), maxRetriesPerRequest: null };

if (isWorker) {
  const worker = new Worker(NAME, async () => {}, { connection, concurrency: CONCURRENCY, autorun: false });
  worker.on('completed', counter(settings.tasks));
  await worker.waitUntilReady();
  ready();
  await worker.run();
} else {
  const queue = new Queue(NAME, { connection, defaultJobOptions: { removeOnComplete: true } });
  await queue.waitUntilReady();
  await measure(new URL(import.meta.url).pathname, async () => {
    for (let done = 0; done < settings.tasks; done += BULK) {
      const count = Math.min(BULK, settings.tasks - done);
      await queue.addBulk(Array.from({ length: count }, (_, at) => ({ name: 'noop', data: { n: done + at } })));
    }
  });
}
