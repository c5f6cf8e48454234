"""JSON that may be a message of the contract, and of which protobuf accepts most."""

from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
INTEGERS = st.integers(-(1 << 64), 1 << 64) | st.integers(-5, 5)
ANYTHING: st.SearchStrategy[Any] = (
    TEXT
    | INTEGERS
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.just([])
    | st.just({})
    | st.none()
)
TIMES = st.sampled_from(
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00.123456789Z",
        "2026-01-31T12:00:00+02:00",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "10000-01-01T00:00:00Z",
    ]
)


def scalars(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Return values of one field, without a list around them."""
    if field.message_type is not None:
        if field.message_type.full_name == "google.protobuf.Timestamp":
            return TIMES
        return messages(field.message_type)
    if field.enum_type is not None:
        names = [value.name for value in field.enum_type.values]
        return st.sampled_from([*names, *range(12), "1", "-1", 1.0, "NO_SUCH"])
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.sampled_from(["", "AA==", "AA", "AAA", "-_-_", "QUJD"])
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return TEXT
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    return INTEGERS | INTEGERS.map(str) | st.integers(-9, 9).map(float) | st.just(1e5)


def values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    plain = scalars(field)
    return st.none() | (st.lists(plain, max_size=3) if field.is_repeated else plain)


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for field in descriptor.fields:
        if draw(st.integers(0, 2)):
            content[draw(st.sampled_from([field.name, field.json_name]))] = draw(values(field))
    return content
