"""The Dramatiq actor of peer.py."""

import os

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker

dramatiq.set_broker(RedisBroker(url=os.environ["PEER_URL"]))
counts = redis.Redis.from_url(os.environ["PEER_URL"])


@dramatiq.actor
def noop():
    counts.incr("peer:ended")
