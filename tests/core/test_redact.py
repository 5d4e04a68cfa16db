"""Passwords do not leave the process in words."""

from __future__ import annotations

import pytest

from stages.core.redact import reason, redacted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql+psycopg://me:s3cret@host/runs", "postgresql+psycopg://***@host/runs"),
        ("see http://me:s3cret@host:5000/x, and", "see http://***@host:5000/x, and"),
        ("http://me:s3@cret@host", "http://***@host"),
        ("http://me:s3/cret@host", "http://***@host"),
        ("http://host:5000/api?a=b", "http://host:5000/api?a=b"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
    ],
)
def test_a_password_in_an_address_is_taken_out(text: str, expected: str) -> None:
    assert redacted(text) == expected


def test_passwords_of_the_environment_are_taken_out_wherever_they_stand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter22")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:p%40ssword@host")
    for secret in ("hunter22", "p%40ssword", "p@ssword"):
        assert secret not in redacted(f"the server says: {secret} is wrong")


def test_a_reason_is_one_short_line_and_names_the_error_where_it_says_nothing() -> None:
    assert reason(ValueError("a\n  b")) == "a b"
    assert reason(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert len(reason(ValueError("x" * 1000))) == 300
