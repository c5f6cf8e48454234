"""Pages: what a token opens, and that it opens nothing else."""

import pytest
from tradewire_server.api.errors import ApiError
from tradewire_server.api.pages import DEFAULT_SIZE, name_page, number_token, page_size

from tests.support.failures import failure_of


def test_no_size_means_a_hundred() -> None:
    assert page_size(0) == DEFAULT_SIZE == 100
    assert page_size(7) == 7


def test_a_number_token_is_the_number_after_which_the_page_begins() -> None:
    assert number_token("") == 0
    assert number_token("17") == 17
    assert number_token("9" * 18) == 10**18 - 1


@pytest.mark.parametrize("token", ["-1", "1.5", "x", " 1", "1\n", "\uff11", "9" * 19, "1_0"])
def test_a_token_that_no_answer_contained_is_refused(token: str) -> None:
    with pytest.raises(ApiError) as error:
        number_token(token)
    found = failure_of(error.value.status)
    assert (found.reason, found.fields) == ("FIELD_INVALID", ("page_token",))


def test_pages_by_name_are_in_order_and_have_every_item_once() -> None:
    items = {name: name.upper() for name in ("d", "a", "c", "b", "e")}
    pages, token = [], ""
    while True:
        page, token = name_page(items, token, 2)
        pages.append(page)
        if not token:
            break
    assert pages == [["A", "B"], ["C", "D"], ["E"]]


def test_the_last_page_has_no_token_when_it_is_full() -> None:
    assert name_page({"a": 1, "b": 2}, "", 2) == ([1, 2], "")
    assert name_page({"a": 1, "b": 2}, "b", 2) == ([], "")
    assert name_page({}, "", 2) == ([], "")


def test_a_name_token_goes_on_even_if_its_item_is_gone() -> None:
    assert name_page({"a": 1, "c": 3}, "b", 5) == ([3], "")
