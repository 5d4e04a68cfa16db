"""What is wrong with a store is one sentence."""

from __future__ import annotations

import sqlite3

import pytest
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import OperationalError

from stages.core.errors import UserError
from stages.sync.command import in_words


@pytest.mark.parametrize(
    "error",
    [
        MlflowException("attempt to write a readonly database"),
        OperationalError("", {}, Exception("attempt to write a readonly database")),
        sqlite3.OperationalError("attempt to write a readonly database"),
    ],
)
def test_a_store_that_cannot_be_written_is_one_sentence(error: Exception) -> None:
    with (
        pytest.raises(UserError, match=r"readonly database.*then run `branchmark sync`"),
        in_words(),
    ):
        raise error
