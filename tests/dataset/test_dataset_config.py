"""Dataset settings: defaults and the messages for wrong ones."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from codekiln.dataset.config import DatasetConfig
from codekiln.fim import SPAN_KINDS


def test_defaults_cover_every_kind_and_are_frozen() -> None:
    config = DatasetConfig()
    assert set(config.spans) == set(SPAN_KINDS)
    assert (config.length, config.repository_length, config.fim_rate, config.loss) == (1024, 2048, 0.5, "all")
    with pytest.raises(ValidationError):
        config.length = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"spans": {"word": 1.0}}, "unknown span kind 'word'; choose from characters, line, lines"),
        ({"spans": {"line": -1.0}}, "the weight of 'line' is -1.0"),
        ({"spans": {"line": float("nan")}}, "the weight of 'line' is nan"),
        ({"spans": {"line": 0.0}}, "every span weight is 0"),
        ({"spans": {}}, "every span weight is 0"),
        ({"fim_rate": 1.5}, "less than or equal to 1"),
        ({"repository_share": -0.1}, "greater than or equal to 0"),
        ({"length": 10}, "greater than or equal to 64"),
        ({"loss": "prefix"}, "'all' or 'middle'"),
        ({"fim": 0.5}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_values_are_named(values: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DatasetConfig(**values)
