"""Celery and Dramatiq: one process submits, workers of the library's own command run no-op tasks, Redis carries them.

`cargo xtask bench` runs it as: peer.py LIBRARY MODE TASKS URL, with LIBRARY celery or dramatiq and MODE flow or drain (see common.mjs).
A task counts itself in Redis, which costs little beside what both do for one. One line of JSON on standard output.
"""

import json
import os
import subprocess
import sys
import time

import redis

# Processes of workers: as many as the machine that tests run on has cores.
PROCESSES = 2
# Longest time for one measurement, in seconds.
PATIENCE = 300
COUNT = "peer:ended"


def main():
    library, mode, tasks, url = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    os.environ["PEER_URL"] = url
    counts = redis.Redis.from_url(url)
    counts.delete(COUNT)
    submit = celery_submit if library == "celery" else dramatiq_submit
    worker = None
    try:
        before = 0
        if mode == "drain":
            submit(tasks)
            worker = start(library)
            # Its start is not counted, nor what it did until it was seen to work.
            before = wait(counts, 1)
            began = time.perf_counter()
        else:
            worker = start(library)
            submit(1)
            wait(counts, 1)
            counts.delete(COUNT)
            began = time.perf_counter()
            submit(tasks)
        wait(counts, tasks)
        seconds = time.perf_counter() - began
    finally:
        if worker:
            worker.terminate()
            worker.wait()
    print(json.dumps({"tasks": tasks, "seconds": seconds, "tasks_per_second": (tasks - before) / seconds}))


def wait(counts, tasks):
    until = time.monotonic() + PATIENCE
    while (ended := int(counts.get(COUNT) or 0)) < tasks:
        if time.monotonic() > until:
            raise SystemExit("no end within the bound")
        time.sleep(0.01)
    return ended


def start(library):
    here = os.path.dirname(os.path.abspath(__file__))
    bin_dir = os.path.dirname(sys.executable)
    if library == "celery":
        command = [f"{bin_dir}/celery", "-A", "peer_celery", "worker", "-c", str(PROCESSES), "-l", "ERROR"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    else:
        command = [f"{bin_dir}/dramatiq", "peer_dramatiq", "--processes", str(PROCESSES), "--threads", "8"]
    return subprocess.Popen(command, cwd=here, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def celery_submit(tasks):
    from peer_celery import noop

    for _ in range(tasks):
        noop.apply_async(ignore_result=True)


def dramatiq_submit(tasks):
    from peer_dramatiq import noop

    for _ in range(tasks):
        noop.send()


if __name__ == "__main__":
    main()
