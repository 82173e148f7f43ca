"""Clients in another language that show tokens, over gRPC and over NATS: none, a wrong one, too small a role, another namespace, enough.

Called by tests/tests/access.rs: with_tokens.py GRPC_ADDRESS PROTO_DIR NATS_URL, and tokens by name as JSON on standard input. The namespace `acme`
has no module, so whoever is let in hears that. Ends with 0 and "all is well", or with a traceback.
"""

import asyncio
import json
import sys

import grpc
import nats
from over_grpc import generate
from over_nats import found, kept, until

PATIENCE_SECONDS = 60

# Who shows what, and how a submit to `acme` is answered.
EXPECTED = {
    None: "unauthenticated",
    "garbage": "unauthenticated",
    "revoked": "unauthenticated",
    "viewer": "permission_denied",
    "other": "permission_denied",
    "submitter": "module_not_found",
}
STATUS = {"unauthenticated": "401", "permission_denied": "403", "module_not_found": "404"}
CODE = {
    "unauthenticated": grpc.StatusCode.UNAUTHENTICATED,
    "permission_denied": grpc.StatusCode.PERMISSION_DENIED,
    "module_not_found": grpc.StatusCode.NOT_FOUND,
}


def over_grpc(address, proto_dir, tokens):
    tasks_pb2, tasks_grpc, *_ = generate(proto_dir)
    channel = grpc.insecure_channel(address)
    grpc.channel_ready_future(channel).result(timeout=PATIENCE_SECONDS)
    tasks = tasks_grpc.TasksStub(channel)
    for who, code in EXPECTED.items():
        metadata = [("authorization", f"Bearer {tokens[who]}")] if who else []
        try:
            tasks.Submit(tasks_pb2.SubmitRequest(module="echo", namespace="acme", text="x"), metadata=metadata)
        except grpc.RpcError as error:
            told = dict(error.trailing_metadata() or ())
            assert (error.code(), told.get("tasklane-code")) == (CODE[code], code), (who, error)
            assert told["tasklane-hint"], told
        else:
            raise AssertionError(f"{who} was let in")
    listed = tasks.List(tasks_pb2.ListRequest(), metadata=[("authorization", f"Bearer {tokens['viewer']}")])
    assert not listed.tasks, listed


async def over_nats(url, tokens):
    client = await nats.connect(url)
    await until(lambda: found(client))
    body = json.dumps({"module": "echo", "namespace": "acme", "payload": 1}).encode()
    for who, code in EXPECTED.items():
        headers = {"Authorization": f"Bearer {tokens[who]}"} if who else None
        answer = await client.request("tasklane.submit", body, timeout=PATIENCE_SECONDS, headers=headers)
        told = (answer.headers["Tasklane-Code"], answer.headers["Nats-Service-Error-Code"])
        assert told == (code, STATUS[code]), (who, answer.headers)
    # A message that is left is judged when it is taken in, and no token stays with what is refused.
    stream = client.jetstream()
    await until(lambda: kept(stream))
    await stream.publish("tasklane.submissions", body, headers={"Authorization": f"Bearer {tokens['viewer']}"})
    refused = await stream.pull_subscribe("tasklane.refused", "look", stream="REFUSED")
    [message] = await refused.fetch(1, timeout=PATIENCE_SECONDS)
    assert message.headers["Tasklane-Code"] == "permission_denied", message.headers
    assert "Authorization" not in message.headers, message.headers
    await client.close()


if __name__ == "__main__":
    given = {"garbage": "garbage", **json.load(sys.stdin)}
    over_grpc(sys.argv[1], sys.argv[2], given)
    asyncio.run(over_nats(sys.argv[3], given))
    print("all is well")
