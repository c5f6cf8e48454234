"""What a change of the OpenAPI document takes away from a client of an existing version.

A client keeps working when everything that it sends is still accepted and everything that it reads
is still there. So requests must not get narrower and answers must not get wider, except that new
fields and new enum values may appear in answers, as the document says. Types never change.

Rules of this file:

- What is for people only (descriptions, examples, `x-...`) is not compared.
- A keyword that is not known here must be equal: nothing passes because nobody thought of it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Json = Mapping[str, Any]

_FOR_PEOPLE = {"description", "summary", "example", "examples", "title", "deprecated"}
# The order of the alternatives is in the mapping too, but only says again what stands in `oneOf`.
_REPEATED = {"discriminator"}
_LOWER = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}
_UPPER = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}
_NESTED = {"items", "contentSchema"}


def breaking_changes(old: Json, new: Json) -> list[str]:
    """Return one sentence for each thing that a client of ``old`` loses with ``new``."""
    return list(_Comparison(old, new).run())


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old = old
        self._new = new
        # Pairs of references under comparison: a schema may lead back to itself.
        self._open: set[tuple[str, str, bool]] = set()

    def run(self) -> Iterator[str]:
        for path, operations in self._old["paths"].items():
            for verb, operation in operations.items():
                where = f"{verb.upper()} {path}"
                renewed = self._new["paths"].get(path, {}).get(verb)
                if renewed is None:
                    yield f"{where}: is gone"
                else:
                    yield from self._operation(where, operation, renewed)
        yield from self._security_schemes()

    def _security_schemes(self) -> Iterator[str]:
        schemes = self._new["components"]["securitySchemes"]
        for name, scheme in self._old["components"]["securitySchemes"].items():
            if _bare(schemes.get(name, {})) != _bare(scheme):
                yield f"security scheme {name}: is not what it was"

    def _operation(self, where: str, old: Json, new: Json) -> Iterator[str]:
        if old["operationId"] != new["operationId"]:
            yield f"{where}: operationId {old['operationId']} became {new['operationId']}"
        if new["security"] and (not old["security"] or _lost(old["security"], new["security"])):
            yield f"{where}: needs another credential or scope"
        yield from self._parameters(where, old, new)
        yield from self._body(where, old.get("requestBody"), new.get("requestBody"))
        for status, response in old["responses"].items():
            renewed = new["responses"].get(status)
            if renewed is None:
                yield f"{where}: the answer {status} is gone"
            else:
                yield from self._response(f"{where}: {status}", response, renewed)

    def _parameters(self, where: str, old: Json, new: Json) -> Iterator[str]:
        before = {(p["in"], p["name"]): p for p in old.get("parameters", ())}
        after = {(p["in"], p["name"]): p for p in new.get("parameters", ())}
        for (place, name), parameter in before.items():
            at = f"{where}: {place} parameter {name}"
            renewed = after.get((place, name))
            if renewed is None:
                yield f"{at} is gone"
                continue
            if renewed["required"] and not parameter["required"]:
                yield f"{at} became required"
            yield from self._schema(at, parameter["schema"], renewed["schema"], sent=True)
        for (place, name), parameter in after.items():
            if (place, name) not in before and parameter["required"]:
                yield f"{where}: {place} parameter {name} is new and required"

    def _body(self, where: str, old: Json | None, new: Json | None) -> Iterator[str]:
        if old is None:
            if new is not None and new["required"]:
                yield f"{where}: a body is new and required"
        elif new is None:
            yield f"{where}: the body is gone"
        else:
            if new["required"] and not old["required"]:
                yield f"{where}: the body became required"
            yield from self._content(f"{where}: body", old, new, sent=True)

    def _response(self, where: str, old: Json, new: Json) -> Iterator[str]:
        old, new = self._resolve(self._old, old), self._resolve(self._new, new)
        for header in old.get("headers", {}):
            if header not in new.get("headers", {}):
                yield f"{where}: the header {header} is gone"
        yield from self._content(where, old, new, sent=False)

    def _content(self, where: str, old: Json, new: Json, *, sent: bool) -> Iterator[str]:
        for media_type, content in old.get("content", {}).items():
            renewed = new.get("content", {}).get(media_type)
            if renewed is None:
                yield f"{where}: {media_type} is gone"
            else:
                yield from self._schema(where, content["schema"], renewed["schema"], sent=sent)

    def _schema(self, where: str, old: Json, new: Json, *, sent: bool) -> Iterator[str]:
        pair = (str(old.get("$ref")), str(new.get("$ref")), sent)
        if "$ref" in old and "$ref" in new:
            if pair in self._open:
                return
            self._open.add(pair)
        before, after = self._resolve(self._old, old), self._resolve(self._new, new)
        for keyword in sorted({*before, *after} - _FOR_PEOPLE - _REPEATED):
            if keyword.startswith("x-"):
                continue
            compare = _BY_KEYWORD.get(keyword)
            if keyword == "properties":
                yield from self._properties(where, before, after, sent=sent)
            elif keyword in _NESTED and keyword in before and keyword in after:
                at = f"{where}[]" if keyword == "items" else where
                yield from self._schema(at, before[keyword], after[keyword], sent=sent)
            elif keyword == "oneOf" and keyword in before and keyword in after:
                yield from self._one_of(where, before[keyword], after[keyword], sent=sent)
            elif compare is not None:
                if compare(before.get(keyword), after.get(keyword), sent):
                    yield _changed(where, keyword, before, after)
            elif before.get(keyword) != after.get(keyword):
                yield _changed(where, keyword, before, after)
        self._open.discard(pair)

    def _properties(self, where: str, old: Json, new: Json, *, sent: bool) -> Iterator[str]:
        for name, schema in old.get("properties", {}).items():
            renewed = new.get("properties", {}).get(name)
            if renewed is None:
                yield f"{where}.{name}: is gone"
            else:
                yield from self._schema(f"{where}.{name}", schema, renewed, sent=sent)

    def _one_of(self, where: str, old: list[Json], new: list[Json], *, sent: bool) -> Iterator[str]:
        """Compare alternatives: fields of which one is set, or schemas in their order."""
        lost = _fields(old) - _fields(new)
        if lost:
            yield f"{where}: {', '.join(sorted(lost))} is no alternative any more"
        is_none_old, is_none_new = (any("not" in choice for choice in c) for c in (old, new))
        if is_none_old != is_none_new and is_none_old == sent:
            yield f"{where}: whether none of the alternatives can be set has changed"
        schemas = [choice for choice in old if not _is_field(choice)]
        renewed = [choice for choice in new if not _is_field(choice)]
        if len(renewed) < len(schemas):
            yield f"{where}: an alternative is gone"
        for before, after in zip(schemas, renewed, strict=False):
            yield from self._schema(where, before, after, sent=sent)

    def _resolve(self, document: Json, value: Json) -> Json:
        """Return what a reference leads to, with what stands beside it; or the value itself."""
        if "$ref" not in value:
            return value
        target: Any = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        beside = {key: kept for key, kept in value.items() if key != "$ref"}
        return {**self._resolve(document, target), **beside}


def _bare(value: Json) -> Json:
    return {key: kept for key, kept in value.items() if key not in _FOR_PEOPLE}


def _lost(old: list[Json], new: list[Json]) -> bool:
    return any(requirement not in new for requirement in old)


def _changed(where: str, keyword: str, old: Json, new: Json) -> str:
    before, after = old.get(keyword, "nothing"), new.get(keyword, "nothing")
    return f"{where}: {keyword} was {before} and became {after}"


def _is_field(choice: Json) -> bool:
    return set(choice) == {"required"} or set(choice) == {"not"}


def _fields(choices: list[Json]) -> set[str]:
    return {choice["required"][0] for choice in choices if set(choice) == {"required"}}


def _enum(old: list[str] | None, new: list[str] | None, sent: bool) -> bool:
    """Let values be added. Where there was no list of values, one narrows; and the reverse."""
    if old is None or new is None:
        return (new is not None) if sent else (old is not None)
    return not set(old) <= set(new)


def _required(old: list[str] | None, new: list[str] | None, sent: bool) -> bool:
    before, after = set(old or ()), set(new or ())
    return bool(after - before) if sent else bool(before - after)


def _lower(old: int | None, new: int | None, sent: bool) -> bool:
    if old is None or new is None:
        return (new is not None) if sent else (old is not None)
    return new > old if sent else new < old


def _upper(old: int | None, new: int | None, sent: bool) -> bool:
    if old is None or new is None:
        return (new is not None) if sent else (old is not None)
    return new < old if sent else new > old


def _constraint(old: Any, new: Any, sent: bool) -> bool:
    """Let a request lose a constraint and an answer get one; it never becomes another one."""
    if old == new:
        return False
    return (new is not None) if sent else (old is not None)


_BY_KEYWORD: Mapping[str, Callable[[Any, Any, bool], bool]] = {
    "enum": _enum,
    "required": _required,
    "pattern": _constraint,
    "uniqueItems": _constraint,
    **dict.fromkeys(_LOWER, _lower),
    **dict.fromkeys(_UPPER, _upper),
}
