"""Lines that no client should send: requests with wrong values, and bytes that are no requests. Derived from what a worker describes."""

from __future__ import annotations

import json
import random
from typing import Any, NamedTuple

# One ends the worker, the other examines the machine for seconds each time.
LEFT_OUT = ("exit", "doctor")
STRANGE: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**400, 0.5, -0.0, 1e308, 1e-320),
    *(
        "",
        " ",
        "\0",
        "a" * 300,
        "../..",
        "/",
        "~",
        "~nobody/x",
        "\ud800",
        "é" * 200,
        "\u202e",
        "CON",
        "a/b\\c",
        "{track}",
        "$HOME",
    ),
    *([], [[]], [None], {}, {"": ""}, {"from": 0}, {"from": -1, "stem": 3}, [{"cmd": "ping"}] * 3, ["x"] * 50),
]


NOT_JSON = (b"\\ud800", b"0" * 300)  # half a character, a number of a thousand bits: only some readers take them


class FuzzedLine(NamedTuple):
    """Bytes without a line feed, and the id that their answer must have; None if it may be lost with the rest."""

    text: bytes
    id: int | None


class FuzzedLines:
    """An endless supply of lines for one worker."""

    def __init__(self, description: dict[str, Any], seed: int, missing: str) -> None:
        self._chance = random.Random(seed)
        self._missing = missing
        self._fields = {
            name: fields_of(command["request"], description["definitions"])
            for name, command in description["commands"].items()
            if name not in LEFT_OUT
        }
        self._all = sorted({field for fields in self._fields.values() for field in fields} - {"cmd", "id"})

    def line(self, number: int) -> FuzzedLine:
        if self._chance.random() < 0.3:
            return FuzzedLine(self._damaged(json.dumps(self._request(f"damaged {number}")).encode()), None)
        text = json.dumps(self._request(number)).encode()
        return FuzzedLine(text, None if any(part in text for part in NOT_JSON) else number)

    def _request(self, identity: int | str) -> dict[str, Any]:
        chance = self._chance
        command = chance.choice(list(self._fields))
        request: dict[str, Any] = {"cmd": command, "id": identity}
        pool = self._fields[command] if chance.random() < 0.8 else self._all
        for field in chance.sample(pool, chance.randrange(min(len(pool), 6) + 1)):
            if field not in ("cmd", "id"):
                request[field] = self._value()
        if chance.random() < 0.05:
            request["cmd"] = chance.choice(STRANGE)
        if "input" in self._fields[command] and chance.random() < 0.5:
            request["input"] = self._missing
        return request

    def _value(self) -> Any:
        chance = self._chance
        if chance.random() < 0.1:
            return [chance.choice(STRANGE) for _ in range(chance.randrange(4))]
        if chance.random() < 0.1:
            return {chance.choice(self._all): chance.choice(STRANGE) for _ in range(chance.randrange(4))}
        return chance.choice(STRANGE)

    def _damaged(self, text: bytes) -> bytes:
        """Bytes changed, left out, repeated, or cut."""
        chance, data = self._chance, bytearray(text)
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(len(data) + 1)
            match chance.randrange(4):
                case 0:
                    data[place : place + 1] = bytes([chance.randrange(256)])
                case 1:
                    del data[place : place + chance.randrange(1, 8)]
                case 2:
                    data[place:place] = data[place : place + chance.randrange(1, 40)]
                case _:
                    del data[place:]
        return bytes(data).replace(b"\n", b" ")


def fields_of(schema: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    """The fields of a request, in any of its forms."""
    forms = [definitions[form["$ref"].rpartition("/")[2]] for form in schema.get("anyOf", [schema])]
    return sorted({field for form in forms for field in form["properties"]})
