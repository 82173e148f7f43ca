"""A gRPC client in another language: stubs are generated from proto/, and everything that is offered is used once.

Called by tests/tests/doors.rs: over_grpc.py ADDRESS PROTO_DIR MODULE.wasm MANIFEST. Ends with 0 and "all is well", or with a traceback.
"""

import importlib
import json
import sys
import tempfile
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2_grpc  # noqa: F401  (the package must be importable)
from grpc_tools import protoc

PATIENCE_SECONDS = 60


def generate(proto_dir):
    out = tempfile.mkdtemp()
    files = [f"tasklane/v1/{name}.proto" for name in ("tasks", "modules", "cluster")]
    wellknown = importlib.resources.files("grpc_tools") / "_proto"
    code = protoc.main(["protoc", f"-I{proto_dir}", f"-I{wellknown}", f"--python_out={out}", f"--grpc_python_out={out}", *files])
    assert code == 0, code
    sys.path.insert(0, out)
    return [importlib.import_module(f"tasklane.v1.{name}") for name in ("tasks_pb2", "tasks_pb2_grpc", "modules_pb2", "modules_pb2_grpc", "cluster_pb2", "cluster_pb2_grpc")]


def refused(code, call, **says):
    try:
        answer = call()
        answer = answer if not hasattr(answer, "__next__") else list(answer)
    except grpc.RpcError as error:
        assert error.code() == code, (error.code(), error.details())
        metadata = dict(error.trailing_metadata() or ())
        for name, value in says.items():
            assert metadata.get(name.replace("_", "-")) == value, metadata
        return error
    raise AssertionError(f"not refused: {answer}")


def main(address, proto_dir, wasm, manifest):
    tasks_pb2, tasks_grpc, modules_pb2, modules_grpc, cluster_pb2, cluster_grpc = generate(proto_dir)
    channel = grpc.insecure_channel(address)
    grpc.channel_ready_future(channel).result(timeout=PATIENCE_SECONDS)
    tasks, modules, cluster = tasks_grpc.TasksStub(channel), modules_grpc.ModulesStub(channel), cluster_grpc.ClusterStub(channel)
    State = tasks_pb2.State

    # Health and reflection, as standard tools ask for them.
    health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="tasklane.v1.Tasks"))
    assert health.status == health_pb2.HealthCheckResponse.SERVING, health
    listed = services(channel)
    assert {"tasklane.v1.Tasks", "tasklane.v1.Modules", "tasklane.v1.Cluster"} <= listed, listed

    # A module in pieces.
    def parts():
        yield modules_pb2.DeployRequest(head=modules_pb2.DeployHead(manifest_toml=open(manifest).read()))
        with open(wasm, "rb") as file:
            while piece := file.read(64 * 1024):
                yield modules_pb2.DeployRequest(data=piece)

    module = modules.Deploy(parts())
    assert (module.name, module.version, module.kind) == ("echo", "1.0.0", "component"), module
    assert modules.Deploy(parts()).digest == module.digest
    assert module.digest in {one.digest for one in modules.List(modules_pb2.ListModulesRequest()).modules}
    assert modules.Get(modules_pb2.GetModuleRequest(name="echo", version="1.0.0")).size_bytes == module.size_bytes
    refused(grpc.StatusCode.NOT_FOUND, lambda: modules.Get(modules_pb2.GetModuleRequest(name="echo", version="9.9.9")), tasklane_code="module_version_not_found")
    refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: modules.Deploy(iter([modules_pb2.DeployRequest(data=b"no module")])))

    # Submit and wait; the payload's text is kept as it is.
    def echo(value, **more):
        return tasks_pb2.SubmitRequest(module="echo", json=json.dumps({"do": "echo", "value": value}), **more)

    done = tasks.Submit(echo("over gRPC", wait_ms=30_000, labels={"door": "grpc"}, priority=9))
    assert done.task.state == State.STATE_SUCCEEDED, done
    assert json.loads(done.task.result.json) == "over gRPC", done
    assert done.task.priority == 9 and done.task.labels["door"] == "grpc" and done.task.usage.fuel > 0, done
    assert b"".join(chunk.data for chunk in tasks.GetResult(tasks_pb2.GetRequest(id=done.id))) == b'"over gRPC"'

    # Safe to repeat.
    first = tasks.Submit(echo(1, idempotency_key="grpc-1"))
    again = tasks.Submit(echo(1, idempotency_key="grpc-1"))
    assert again.id == first.id and again.replayed and not first.replayed
    refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: tasks.Submit(echo(2, idempotency_key="grpc-1")))

    # A batch, streamed; the last waits for the others.
    def batch():
        for number in range(500):
            yield echo(number, name=f"n{number}")
        yield echo("last", name="last", after=[f"n{number}" for number in range(10)])

    answer = tasks.SubmitBatch(batch())
    assert len(answer.tasks) == 501 and answer.tasks[-1].state in (State.STATE_BLOCKED, State.STATE_QUEUED), answer.tasks[-1]
    seen = [task.state for task in tasks.Watch(tasks_pb2.GetRequest(id=answer.tasks[-1].id), timeout=PATIENCE_SECONDS)]
    assert seen[-1] == State.STATE_SUCCEEDED, seen
    error = refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: tasks.SubmitBatch(iter([echo(1), echo(2, priority=99)])))
    assert "task 1" in error.details(), error.details()

    # Pages.
    page = tasks.List(tasks_pb2.ListRequest(batch=answer.batch, limit=200))
    rest = tasks.List(tasks_pb2.ListRequest(batch=answer.batch, limit=200, cursor=page.next_cursor))
    assert len(page.tasks) == 200 and len(rest.tasks) == 200 and page.tasks[0].id != rest.tasks[0].id
    assert len(tasks.List(tasks_pb2.ListRequest(label="door:grpc", state=State.STATE_SUCCEEDED)).tasks) == 1

    # Cancel one that waits, and one that runs.
    waiting = tasks.Submit(echo("later", delay_ms=3_600_000))
    assert tasks.Cancel(tasks_pb2.CancelRequest(id=waiting.id)).state == State.STATE_CANCELLED
    running = tasks.Submit(tasks_pb2.SubmitRequest(module="echo", json='{"do":"sleep","ms":60000}'))
    until(lambda: tasks.Get(tasks_pb2.GetRequest(id=running.id)).state == State.STATE_RUNNING)
    tasks.Cancel(tasks_pb2.CancelRequest(id=running.id))
    until(lambda: tasks.Get(tasks_pb2.GetRequest(id=running.id)).state == State.STATE_CANCELLED)

    # Errors keep the code of the API.
    unknown = "0197f0a0-0000-7000-8000-000000000001"
    refused(grpc.StatusCode.NOT_FOUND, lambda: tasks.Get(tasks_pb2.GetRequest(id=unknown)), tasklane_code="task_not_found")
    refused(grpc.StatusCode.NOT_FOUND, lambda: list(tasks.Watch(tasks_pb2.GetRequest(id=unknown))), tasklane_code="task_not_found")
    refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: tasks.Get(tasks_pb2.GetRequest(id="../modules")))
    refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: tasks.Get(tasks_pb2.GetRequest()))
    refused(grpc.StatusCode.INVALID_ARGUMENT, lambda: tasks.Submit(echo(1, options_json='{"nonsense": 1}')))
    refused(grpc.StatusCode.FAILED_PRECONDITION, lambda: list(tasks.GetResult(tasks_pb2.GetRequest(id=waiting.id))), tasklane_code="task_has_no_result")
    large = tasks_pb2.SubmitRequest(module="echo", data=b"x" * (5 * 1024 * 1024))
    code = refused_any(lambda: tasks.Submit(large))
    assert code in (grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.RESOURCE_EXHAUSTED), code

    # A deadline that is over before the task is.
    code = refused_any(lambda: tasks.Submit(tasks_pb2.SubmitRequest(module="echo", json='{"do":"sleep","ms":5000}', wait_ms=30_000), timeout=0.5))
    assert code == grpc.StatusCode.DEADLINE_EXCEEDED, code

    # The cluster.
    assert cluster.Info(cluster_pb2.InfoRequest()).version
    hosts = cluster.Hosts(cluster_pb2.HostsRequest()).hosts
    assert len(hosts) == 1 and hosts[0].slots == 32, hosts
    # The rest of the batch may still run, and a count that took long is shown for a while.
    until(lambda: cluster.Stats(cluster_pb2.StatsRequest()).tasks_by_state["succeeded"] >= 502)
    print("all is well")


def services(channel):
    from grpc_reflection.v1alpha import reflection_pb2

    # The server speaks v1 of reflection, whose messages are those of v1alpha.
    ask = channel.stream_stream(
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    answer = next(iter(ask(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))))
    return {service.name for service in answer.list_services_response.service}


def refused_any(call):
    try:
        call()
    except grpc.RpcError as error:
        return error.code()
    raise AssertionError("not refused")


def until(condition):
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < PATIENCE_SECONDS, "the condition was never true"
        time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
