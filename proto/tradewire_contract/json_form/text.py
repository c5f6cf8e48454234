"""A text as JSON, read strictly.

It costs little even when it is made to cost much: its values are counted before they are read, its
numbers have no more digits than the contract's could have, and it is not nested without end.
"""

import json
from collections.abc import Iterable
from typing import Any, NoReturn

# A hundred orders with all of their fields have a quarter of that.
VALUES_MAX = 5_000
# To make an integer of a text costs the square of its length. The contract has 20 digits at most.
DIGITS_MAX = 40
_SEPARATORS = (b"{", b"[", b",")


class JsonInvalid(ValueError):
    """A text is no JSON, or none that is taken; `text` says why, for who sent it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Doubled(dict[str, Any]):
    """An object in which a key stands twice: `pairs` are its members as they stand there."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def parse_json(body: bytes) -> Any:
    """Return the value of a JSON text; an object is a dict, a Doubled if a key stands twice.

    Raises JsonInvalid.
    """
    if sum(body.count(separator) for separator in _SEPARATORS) > VALUES_MAX:
        raise JsonInvalid(f"it has more than {VALUES_MAX} values")
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_parse_int,
            parse_float=_parse_float,
        )
    except UnicodeDecodeError as error:
        why = f"it is not UTF-8 at byte {error.start}"
    except json.JSONDecodeError as error:
        why = f"{error.msg[:1].lower()}{error.msg[1:]} at line {error.lineno} column {error.colno}"
    except RecursionError:
        why = "it is nested too deep"
    raise JsonInvalid(why) from None


def members_of(content: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """Return the members of an object, also those of the same name."""
    return content.pairs if isinstance(content, Doubled) else content.items()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Doubled(pairs)


def _parse_int(text: str) -> int:
    return int(_bounded(text))


def _parse_float(text: str) -> float:
    return float(_bounded(text))


def _bounded(text: str) -> str:
    if len(text) > DIGITS_MAX:
        raise JsonInvalid("a number has too many digits")
    return text


def _refuse_constant(name: str) -> NoReturn:
    raise JsonInvalid(f"{name} is no value in JSON")
