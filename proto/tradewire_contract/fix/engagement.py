"""The rules of engagement: prose around tables that are made of the contract, as Markdown."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tradewire_contract.catalogue import reasons
from tradewire_contract.fix.fields import USER_DEFINED_FROM
from tradewire_contract.fix.messages import FixContract, FixMessage, Member, walk
from tradewire_contract.fix.rules import ANSWERS, REQUESTS, SESSION
from tradewire_contract.methods import ContractError
from tradewire_contract.openapi.comments import Comments

_PLACE = re.compile(r"^\{\{ ([a-z ]+) \}\}$", re.MULTILINE)
# A field's name in a comment: in backquotes, or with an underscore in it.
_NAME = re.compile(r"`([a-z][a-z_]*)`|\b([a-z]+(?:_[a-z]+)+)\b")
_TAG_NOTE = re.compile(
    r"(?:[,;.]\s+|\s*)?(?:[A-Z][A-Za-z]+\([0-9]+\)(?: (?:and|or|of) [A-Z][A-Za-z]+\([0-9]+\))*"
    r"(?: = [0-9A-Z])?|(?i:user-defined tag [0-9]+)|ClOrdID\(11\) of its report)\.?$"
)


def render_engagement(contract: FixContract, image: FileDescriptorSet) -> str:
    """Return the document; the prose is `engagement.md` beside this file, with places for tables.

    Raises ContractError when the prose asks for a table that there is none of.
    """
    writer = _Writer(contract, _FixComments(image, contract))
    prose = Path(__file__).with_name("engagement.md").read_text()
    return _PLACE.sub(lambda place: "\n".join(writer.part(place[1])), prose)


class _FixComments(Comments):
    """Comments with the contract's fields by the names that they have on FIX."""

    def __init__(self, image: FileDescriptorSet, contract: FixContract) -> None:
        super().__init__(image)
        found: dict[str, set[str]] = {}
        for member in _all_members(contract):
            for element in member.elements:
                name = element.rpartition(".")[2]
                found.setdefault(name, set()).add(f"{member.name}({member.tag})")
        self._names = {name: min(names) for name, names in found.items() if len(names) == 1}

    def in_json(self, text: str) -> str:
        """Return a text with the names of fields as they are on FIX, where they have just one."""
        return _NAME.sub(lambda place: self._names.get(place[1] or place[2], place[0]), text)


def _all_members(contract: FixContract) -> Iterator[Member]:
    for message in contract.messages.values():
        yield from walk(message.members)


class _Writer:
    """Makes the tables."""

    def __init__(self, contract: FixContract, comments: Comments) -> None:
        self._contract = contract
        self._comments = comments

    def part(self, name: str) -> Iterator[str]:
        parts = {
            "header": lambda: self._table(self._contract.header),
            "trailer": lambda: self._table(self._contract.trailer),
            "session messages": lambda: self._messages(SESSION),
            "requests": lambda: self._messages(REQUESTS),
            "answers": lambda: self._messages(ANSWERS),
            "user tags": self._user_tags,
            "reasons": self._reasons,
        }
        if name not in parts:
            raise ContractError(f"the rules of engagement have no part {name!r}")
        return parts[name]()

    def _messages(self, rules: Iterable[object]) -> Iterator[str]:
        for rule in rules:
            message = next(m for m in self._contract.messages.values() if m.rule is rule)
            yield f"### {message.rule.name}({message.rule.type})"
            yield ""
            yield " ".join(self._introduction(message))
            yield ""
            yield from self._table(message.members)
            yield ""

    def _introduction(self, message: FixMessage) -> Iterator[str]:
        rule = message.rule
        yield rule.text
        if message.methods:
            names = ", ".join(f"`{m.service.rpartition('.')[2]}.{m.name}`" for m in message.methods)
            yield f"Calls {names}." if rule.inbound else f"Answers {names}."
        if rule.either:
            named = " or ".join(f"{self._contract.fields[tag].name}({tag})" for tag in rule.either)
            yield f"{named} must be there; the first of them that is counts."

    def _table(self, members: Iterable[Member]) -> Iterator[str]:
        yield "| Tag | Name | Required | Type | Values | Meaning |"
        yield "|---|---|---|---|---|---|"
        yield from self._rows(members, 0)

    def _rows(self, members: Iterable[Member], depth: int) -> Iterator[str]:
        for member in members:
            values = ", ".join(
                f"`{value.value}` {value.name}"
                for value in member.values
                if member.accepted is None or value.value in member.accepted
            )
            if member.accepted is not None and not values:
                values = ", ".join(f"`{value}`" for value in sorted(member.accepted))
            cells = (
                f"{'→ ' * depth}{member.tag}",
                member.name,
                "Y" if member.required else "N",
                member.type,
                values,
                self._meaning(member),
            )
            yield f"| {' | '.join(cells)} |"
            yield from self._rows(member.group, depth + 1)

    def _meaning(self, member: Member) -> str:
        comments = [_without_tag(self._comments.text(name)) for name in member.elements]
        use = member.use.value if member.use is not None and not member.elements else ""
        remark = f"{use[:1].upper()}{use[1:]}." if use in _REMARKS else ""
        sentences = dict.fromkeys((*comments, *member.meanings, remark))
        return " ".join(filter(None, sentences)).replace("|", "\\|")

    def _user_tags(self) -> Iterator[str]:
        yield "| Tag | Name | Type | Messages |"
        yield "|---|---|---|---|"
        for field in self._contract.fields.values():
            if field.tag >= USER_DEFINED_FROM:
                used = [
                    message.rule.type
                    for message in self._contract.messages.values()
                    if any(member.tag == field.tag for member in walk(message.members))
                ]
                yield f"| {field.tag} | {field.name} | {field.type} | {', '.join(used)} |"

    def _reasons(self) -> Iterator[str]:
        yield "| Reason(20002) | Outcome | 103 | 102 | 380 | 378 | What to do |"
        yield "|---|---|---|---|---|---|---|"
        for entry in reasons().values():
            codes = (
                entry.order_reject_reason,
                entry.cancel_reject_reason,
                entry.business_reject_reason,
                entry.restatement_reason,
            )
            cells = [
                f"`{entry.name}`",
                entry.outcome.replace("_", " "),
                *("" if code is None else str(code) for code in codes),
                entry.advice,
            ]
            yield f"| {' | '.join(cells)} |"


_REMARKS = {
    "comes back in the answer",
    "has no effect",
    "must have a value that this venue supports",
}


def _without_tag(comment: str) -> str:
    """Return a comment without the tag that it ends with: the table has it."""
    first = comment.partition("\n\n")[0]
    cut = _TAG_NOTE.sub("", first)
    return cut if not cut or cut.endswith(".") else f"{cut}."
