"""The Celery application of peer.py: one task, many prefetched, no results kept."""

import os

import redis
from celery import Celery

app = Celery("peer", broker=os.environ["PEER_URL"])
app.conf.update(worker_prefetch_multiplier=100, task_ignore_result=True, broker_connection_retry_on_startup=True)
counts = redis.Redis.from_url(os.environ["PEER_URL"])


@app.task
def noop():
    counts.incr("peer:ended")
