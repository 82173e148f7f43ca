"""A NATS client in another language: the service is found as the micro framework has it, and everything that it offers is used once.

Called by tests/tests/doors.rs, which has deployed module `echo`: over_nats.py NATS_URL. Ends with 0 and "all is well", or with a traceback.
"""

import asyncio
import json
import sys

import nats

PATIENCE_SECONDS = 60
VERBS = {"submit", "submit_batch", "get", "result", "cancel"}


def task(value, **more):
    return {"module": "echo", "payload": {"do": "echo", "value": value}, **more}


async def main(url):
    client = await nats.connect(url)

    async def ask(verb, body, headers=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await client.request(f"tasklane.{verb}", data, timeout=PATIENCE_SECONDS, headers=headers)

    async def good(verb, body, headers=None):
        answer = await ask(verb, body, headers)
        assert not (answer.headers or {}).get("Nats-Service-Error"), (verb, answer.headers)
        return json.loads(answer.data)

    async def refused(verb, body, code, status):
        headers = (await ask(verb, body)).headers
        assert (headers["Tasklane-Code"], headers["Nats-Service-Error-Code"]) == (code, str(status)), headers
        assert headers["Nats-Service-Error"], headers

    # Found by the framework's own subjects.
    await until(lambda: found(client))
    info = json.loads((await client.request("$SRV.INFO.tasklane", b"", timeout=PATIENCE_SECONDS)).data)
    assert {endpoint["subject"].removeprefix("tasklane.") for endpoint in info["endpoints"]} == VERBS, info

    # Submit and wait, look, fetch the result.
    done = await good("submit", task("over NATS"), {"Tasklane-Wait": "30s"})
    assert done["state"] == "succeeded" and done["result"]["json"] == "over NATS", done
    assert (await good("get", {"id": done["id"]}))["state"] == "succeeded"
    assert (await ask("result", {"id": done["id"]})).data == b'"over NATS"'

    # Safe to repeat.
    key = {"Idempotency-Key": "nats-1"}
    assert (await good("submit", task(1), key))["id"] == (await good("submit", task(1), key))["id"]

    # A batch, and a cancel.
    batch = await good("submit_batch", {"tasks": [task(number) for number in range(100)]})
    assert len(batch["tasks"]) == 100
    later = await good("submit", task("later", delay="1h"))
    assert (await good("cancel", {"id": later["id"]}))["state"] == "cancelled"

    # What is wrong says so.
    await refused("submit", b"{", "malformed_json", 400)
    await refused("submit", {"module": "nobody"}, "module_not_found", 404)
    await refused("get", {"id": "0197f0a0-0000-7000-8000-000000000001"}, "task_not_found", 404)
    await refused("get", {"id": "../modules"}, "invalid_request", 422)
    stats = json.loads((await client.request("$SRV.STATS.tasklane", b"", timeout=PATIENCE_SECONDS)).data)
    assert sum(endpoint["num_requests"] for endpoint in stats["endpoints"]) >= 10, stats

    await leave_and_go(client, good)
    await client.close()
    print("all is well")


async def leave_and_go(client, good):
    """Submissions that nobody waits for: each message id is one task, and what is refused is kept with its reason."""
    stream = client.jetstream()
    await until(lambda: kept(stream))
    for number in range(50):
        body = json.dumps(task(number, labels={"left": "1"})).encode()
        for _ in range(2):  # a producer that heard no acknowledgement sends it again
            await stream.publish("tasklane.submissions", body, headers={"Nats-Msg-Id": f"left-{number}"})
    await stream.publish("tasklane.submissions", b'{"module": "nobody"}', headers={"Nats-Msg-Id": "bad", "Authorization": "Bearer secret"})

    refused = await stream.pull_subscribe("tasklane.refused", "look", stream="REFUSED")
    [message] = await refused.fetch(1, timeout=PATIENCE_SECONDS)
    assert message.headers["Tasklane-Code"] == "module_not_found", message.headers
    assert message.data == b'{"module": "nobody"}' and "Authorization" not in message.headers, message.headers

    async def taken():
        info = await stream.stream_info("SUBMISSIONS")
        return info.state.messages == 0

    await until(taken)


async def found(client):
    try:
        answer = await client.request("$SRV.PING.tasklane", b"", timeout=1)
    except (nats.errors.NoRespondersError, nats.errors.TimeoutError):
        return False
    return json.loads(answer.data)["name"] == "tasklane"


async def kept(stream):
    """Whether submissions are taken in: their streams are made beside the service, not before it."""
    try:
        return bool(await stream.stream_info("SUBMISSIONS"))
    except nats.js.errors.NotFoundError:
        return False


async def until(condition):
    for _ in range(PATIENCE_SECONDS * 10):
        if await condition():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the condition was never true")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
