"""The SDK in plain Python, by its own stand-ins: `python3 -m unittest discover -s sdk/python/tests`."""

import enum
import sys
import unittest
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).parent.parent))

from tasklane import Child, Context, HostError, HttpError, PermanentError, RetryableError, config, enqueue, fetch, kv, log, progress, secret, task
from tasklane import testing


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Size:
    width: int
    height: int = 1

    def __post_init__(self) -> None:
        if self.width < 0:
            raise ValueError("`width` is below 0")


@dataclass
class Order:
    sizes: list[Size]
    colour: Colour = Colour.RED
    unit: Literal["mm", "cm"] = "mm"
    price: Decimal | None = None
    notes: dict[str, str] = field(default_factory=dict)


class Model:
    """As pydantic has it."""

    def __init__(self, name: str) -> None:
        self.name = name

    @classmethod
    def model_validate(cls, value: Any) -> "Model":
        if not isinstance(value, dict) or "name" not in value:
            raise ValueError("name is missing")
        return cls(value["name"])

    def model_dump(self, mode: str) -> dict[str, str]:
        return {"name": self.name}


@task
def area(ctx: Context, order: Order) -> int:
    return sum(size.width * size.height for size in order.sizes)


class Inputs(unittest.TestCase):
    def setUp(self) -> None:
        testing.reset()

    def test_dataclasses_are_filled(self) -> None:
        order = {"sizes": [{"width": 2, "height": 3}, {"width": 4}], "colour": "red", "price": 1.5, "notes": {"a": "b"}}
        self.assertEqual(testing.run(area, order).result, 10)

    def test_what_does_not_fit_is_named(self) -> None:
        for payload, says in [
            ({}, "`sizes`: is missing"),
            ({"sizes": 1}, "`sizes`: must be a list"),
            ({"sizes": [{"width": 1}, {"width": "x"}]}, "`sizes[1].width`: must be a whole number"),
            ({"sizes": [{"width": True}]}, "`sizes[0].width`: must be a whole number"),
            ({"sizes": [{"width": -1}]}, "`sizes[0]`: `width` is below 0"),
            ({"sizes": [], "colour": "blue"}, "`colour`: must be one of 'red'"),
            ({"sizes": [], "unit": "m"}, "`unit`: must be one of 'mm', 'cm'"),
            ({"sizes": [], "price": "1"}, "`price`: must be a number"),
            ({"sizes": [], "notes": {"a": 1}}, "`notes.a`: must be a text"),
            (7, "the input: must be an object"),
            (b"{", "no JSON"),
            (b"\xff", "byte 0 is wrong"),
            (b"[" * 100_000, "nested deeper"),
            (b'{"sizes": [{"width": NaN}]}', "NaN"),
        ]:
            outcome = testing.run(area, payload)
            self.assertEqual((outcome.ok, outcome.retryable, outcome.code), (False, False, "bad_input"), payload)
            self.assertIn(says, outcome.message)

    def test_models_and_bytes(self) -> None:
        @task
        def named(ctx: Context, model: Model) -> Model:
            return model

        @task(output="text")
        def shout(ctx: Context, payload: bytes) -> str:
            return payload.decode().upper()

        self.assertEqual(testing.run(named, {"name": "Ada"}).result, {"name": "Ada"})
        self.assertEqual(testing.run(named, {}).code, "bad_input")
        self.assertEqual(testing.run(shout, "grüße".encode()).result, "GRÜSSE".encode())


class Ends(unittest.TestCase):
    def setUp(self) -> None:
        testing.reset()

    def ends(self, error: Exception) -> testing.Outcome:
        @task
        def fails(ctx: Context, payload: Any) -> None:
            raise error

        return testing.run(fails, 1)

    def test_what_is_raised_is_told(self) -> None:
        bad = self.ends(PermanentError("no-good", "it is bad", {"a": 1}))
        self.assertEqual((bad.retryable, bad.code, bad.message, bad.details), (False, "no-good", "it is bad", {"a": 1}))
        later = self.ends(RetryableError("busy", "later", after_ms=50))
        self.assertEqual((later.retryable, later.after_ms), (True, 50))
        self.assertFalse(self.ends(HostError("access-denied", "no")).retryable)
        self.assertTrue(self.ends(HostError("unavailable", "no")).retryable)
        self.assertEqual(self.ends(HttpError("HTTP-request-denied", "no")).code, "http")
        unforeseen = self.ends(KeyError("x"))
        self.assertEqual((unforeseen.retryable, unforeseen.code, unforeseen.message), (True, "error", "KeyError: 'x'"))
        self.assertIn("Traceback", unforeseen.details["traceback"])
        self.assertEqual(testing.world().log[0][:2], ("error", "KeyError: 'x'"))
        self.assertEqual(self.ends(SystemExit("enough")).message, "SystemExit: enough")

    def test_a_result_that_is_no_json(self) -> None:
        @task
        def odd(ctx: Context, payload: Any) -> object:
            return object()

        self.assertEqual(testing.run(odd, 1).code, "bad_output")

    def test_a_task_has_two_arguments(self) -> None:
        @task
        def lonely(payload: Any) -> None:
            pass

        self.assertIn("two arguments", testing.run(lonely, 1).message)


class Services(unittest.TestCase):
    def setUp(self) -> None:
        testing.reset()

    def test_stand_ins(self) -> None:
        world = testing.world()
        world.config["colour"] = "blue"
        world.secrets["token"] = b"hunter2"
        world.answers["https://a.test/x"] = (201, [("ETag", b"7")], b'{"b": 1}')
        self.assertEqual((config("colour"), config("none"), config("none", "x")), ("blue", None, "x"))
        self.assertEqual(secret("token"), "hunter2")
        with self.assertRaisesRegex(HostError, "taskctl secrets set other"):
            secret("other")
        log.warn("odd", n=1, who="Ada")
        progress(7, "far")
        self.assertEqual((world.log, world.progress), ([("warn", "odd", {"n": "1", "who": "Ada"})], [(1.0, "far")]))
        self.assertEqual(len(enqueue([Child("a", "m", {"x": 1}, {"priority": 8})])), 1)
        self.assertEqual(world.children, [("a", "m", b'{"x": 1}', '{"priority": 8}')])
        answer = fetch("https://a.test/x", "post", body="hello")
        self.assertEqual((answer.status, answer.ok, answer.headers, answer.json()), (201, True, {"etag": "7"}, {"b": 1}))
        with self.assertRaises(HttpError):
            fetch("https://elsewhere.test/")

    def test_keys_and_values(self) -> None:
        store = kv.own()
        revision = store.set("a", "1")
        self.assertFalse(store.compare_and_set("a", None, "2").done)
        self.assertTrue(store.compare_and_set("a", revision, "2").done)
        self.assertEqual(store.increment("a", 40), 42)
        store.set("b", b"")
        page = store.keys(limit=1)
        self.assertEqual((page.keys, page.next), (["a"], "a"))
        self.assertEqual((store.delete("a"), store.delete("a")), (True, False))


if __name__ == "__main__":
    unittest.main()
