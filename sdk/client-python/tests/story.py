"""What the client must do, against a live instance: `python3 story.py SERVER FLAKY`, where FLAKY leads to the same server, but loses the first
answer and refuses the next request. Run by `tests/tests/clients.rs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tasklane_client import TaskFailed, Tasklane, TasklaneError

server, flaky = sys.argv[1:]
tasklane = Tasklane(server)

# Submit, wait, result.
assert tasklane.run("echo", {"text": "Grüße", "list": [1, 2]}) == {"text": "Grüße", "list": [1, 2]}
accepted = tasklane.submit("echo", "a", priority="high", labels={"story": "py"})
assert tasklane.wait(accepted["id"])["state"] == "succeeded"
assert tasklane.result(accepted["id"]) == "a"
assert tasklane.list(label="story:py")["tasks"][0]["id"] == accepted["id"]

# A failure has its task.
try:
    tasklane.run("echo", b"{")
    raise SystemExit("it succeeded")
except TaskFailed as failed:
    assert failed.task["state"] == "failed"

# The same key is the same task.
first = tasklane.submit("echo", 1, idempotency_key="py-1")
assert tasklane.submit("echo", 1, idempotency_key="py-1")["id"] == first["id"]

# Batches.
batch = tasklane.submit_batch([{"module": "echo", "payload": 1, "name": "a"}, {"module": "echo", "payload": 2, "after": ["a"]}])
assert tasklane.wait(batch["tasks"][1]["id"])["state"] == "succeeded"

# Refusals have their code and hint, and are not repeated.
try:
    tasklane.submit("nobody")
    raise SystemExit("it was accepted")
except TasklaneError as refused:
    assert (refused.code, refused.status) == ("module_not_found", 404) and refused.hint
try:
    Tasklane("http://127.0.0.1:9", tries=2).get("x")
    raise SystemExit("it was reached")
except TasklaneError as away:
    assert away.code == "unreachable"

# Cancel.
late = tasklane.submit("echo", 1, delay="1h")
tasklane.cancel(late["id"])
assert tasklane.wait(late["id"])["state"] == "cancelled"

# Events, and again behind a cursor.
cursor = None
feed = tasklane.events()
for event in feed:
    cursor = event.cursor
    if event.event == "hello":
        tasklane.submit("echo", "news")
    elif event.event == "tasks" and any(task["state"] == "succeeded" for task in event.data["tasks"]):
        break
feed.close()
tasklane.run("echo", "behind the cursor")
feed = tasklane.events(cursor)
for event in feed:
    if event.event == "tasks" and event.data["counts"].get("succeeded", 0) > 0:
        break
feed.close()

# A lost answer, then a refusal: one task all the same.
shaky = Tasklane(flaky, token="s3cret")
once = shaky.submit("echo", "once", labels={"once": "py"})
assert len(tasklane.list(label="once:py")["tasks"]) == 1
assert shaky.wait(once["id"])["state"] == "succeeded"
print("the client does what it should")
