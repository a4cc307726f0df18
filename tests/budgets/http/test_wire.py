"""JSON as it goes out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from budgets.http.wire import json_bytes


@pytest.mark.parametrize(
    "value",
    [
        {"text": "naïve ☂", "none": None, "list": [1, 2.5, True]},
        {"half": "an emoji \ud83d", "more": "☂"},
        {"digits": 10**30, "low": -(2**70)},
        {"deep": [[[["\udfff"]]]]},
    ],
)
def test_says_what_it_was_given(value: Any) -> None:
    assert json.loads(json_bytes(value)) == value


def test_is_always_utf_8() -> None:
    json_bytes({"half": "\ud83d", "more": "☂"}).decode()
