"""An invoice in (JSON), the same with its totals out: each line, net, tax for each rate, gross, in decimal and to the cent.

An example to copy: Python with nothing but its standard library, JSON in and out, errors that name the line.
"""

from collections import defaultdict
from decimal import ROUND_HALF_UP, Context as Precision, Decimal, InvalidOperation, localcontext
from typing import Any

from tasklane import Context, PermanentError, json, log, task

LINES_MAX = 10_000
"""Most lines of one invoice."""
AMOUNT_MAX = Decimal("1e12")
"""Largest quantity and price: beyond it the sums would not be exact to the cent."""
CENT = Decimal("0.01")


@task
def invoice(ctx: Context, input: bytes) -> dict:
    with localcontext(Precision(prec=50)):
        document = json(input)
        if not isinstance(document, dict):
            raise PermanentError("bad_invoice", "the payload must be a JSON object with `number`, `currency` and `lines`")
        number, currency = word(document, "number"), word(document, "currency")
        lines = [line(index, entry) for index, entry in enumerate(list_of_lines(document), start=1)]
        log.info("added up", number=number, lines=len(lines))
        return {"number": number, "currency": currency, "lines": lines, **totals(lines)}


def list_of_lines(document: dict) -> list:
    lines = document.get("lines")
    if not isinstance(lines, list) or not lines:
        raise PermanentError("bad_invoice", "`lines` must be a list of at least one line")
    if len(lines) > LINES_MAX:
        raise PermanentError("bad_invoice", f"`lines` has {len(lines)} lines, and may have {LINES_MAX}")
    return lines


def line(index: int, entry: Any) -> dict:
    where = f"line {index}"
    if not isinstance(entry, dict):
        raise PermanentError("bad_line", f"{where} must be an object with `text`, `quantity`, `price` and `tax_percent`", {"line": index})
    quantity = amount(entry, "quantity", where)
    price = amount(entry, "price", where)
    tax = amount(entry, "tax_percent", where)
    if not 0 <= tax <= 100:
        raise PermanentError("bad_line", f"{where}: `tax_percent` must be from 0 to 100, not {tax}", {"line": index})
    net = cents(quantity * price)
    return {"text": word(entry, "text", where), "quantity": str(quantity), "price": str(price), "tax_percent": str(tax), "net": str(net)}


def totals(lines: list[dict]) -> dict:
    """Tax is rounded once for each rate, not for each line."""
    net_by_rate: dict[Decimal, Decimal] = defaultdict(Decimal)
    for entry in lines:
        net_by_rate[Decimal(entry["tax_percent"]).normalize()] += Decimal(entry["net"])
    taxes = [
        {"percent": f"{rate:f}", "net": str(net), "tax": str(cents(net * rate / 100))}
        for rate, net in sorted(net_by_rate.items())
    ]
    net = sum(net_by_rate.values(), Decimal(0))
    tax = sum((Decimal(entry["tax"]) for entry in taxes), Decimal(0))
    return {"taxes": taxes, "net": str(net), "tax": str(tax), "gross": str(net + tax)}


def cents(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)


def word(document: dict, key: str, where: str = "the invoice") -> str:
    value = document.get(key)
    if isinstance(value, str) and value.strip():
        return value
    raise PermanentError("bad_invoice", f"{where}: `{key}` must be a text that is not empty")


def amount(entry: dict, key: str, where: str) -> Decimal:
    """A number as it is written, or a text with one: money is never a binary fraction."""
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise PermanentError("bad_line", f"{where}: `{key}` must be a number")
    try:
        number = Decimal(value)
    except (InvalidOperation, ValueError):
        raise PermanentError("bad_line", f"{where}: `{key}` must be a number, not {value!r:.40}") from None
    if not number.is_finite() or number.copy_abs() > AMOUNT_MAX or number.as_tuple().exponent < -12:
        raise PermanentError("bad_line", f"{where}: `{key}` must be at most {AMOUNT_MAX:f}, with at most 12 decimals")
    return number
