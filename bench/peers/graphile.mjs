// graphile-worker: bulks of 1,000 jobs, a worker process of its own with a local queue of 500 and 24 jobs at once.

import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import { BULK, counter, isWorker, measure, ready, settings } from './common.mjs';

const CONCURRENCY = 24;
const LOCAL_QUEUE = 500;
// A line for each job would be the most expensive part of it.
const logger = new Logger(() => (level, message) => level === 'error' && console.error(message));
const quiet = { worker: { logger, connectionString: settings.url, concurrentJobs: CONCURRENCY, maxPoolSize: CONCURRENCY + 2 } };

if (isWorker) {
  const ended = counter(settings.tasks);
  await run({
    preset: {
      worker: {
        ...quiet.worker,
        localQueue: { size: LOCAL_QUEUE },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
        pollInterval: 100,
      },
    },
    noHandleSignals: true,
    taskList: { noop: async () => ended() },
  });
  ready();
} else {
  const utils = await makeWorkerUtils({ preset: quiet });
  await utils.migrate();
  await measure(new URL(import.meta.url).pathname, async () => {
    for (let done = 0; done < settings.tasks; done += BULK) {
      const count = Math.min(BULK, settings.tasks - done);
      await utils.addJobs(Array.from({ length: count }, (_, at) => ({ identifier: 'noop', payload: { n: done + at } })));
    }
  });
}
