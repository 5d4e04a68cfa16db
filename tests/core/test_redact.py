"""No credential leaves the process: not in a message, a tag, an artifact or a log."""

from __future__ import annotations

import base64
import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from stages.core.redact import reason, redacted

AWS_ID, AWS_KEY = "AKIA" + "IOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"
SIGNATURE = "fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024"
SCOPE = "20130524/us-east-1/s3/aws4_request"


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not in the environment is known by its form alone."""
    for name in ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql+psycopg://me:s3cret@host/runs", "postgresql+psycopg://***@host/runs"),
        ("see http://me:s3cret@host:5000/x, and", "see http://***@host:5000/x, and"),
        ("http://me:s3@cret@host", "http://***@host"),
        ("http://me:s3/cret@host", "http://***@host"),
        ("http://me:p%40s%2Fs@host/x", "http://***@host/x"),
        ("http://:s3cret@host", "http://***@host"),
        ("http://me:two  spaced@host/x is away", "http://***@host/x is away"),
        ("cloning https://s3cr3ttoken@host/a.git", "cloning https://***@host/a.git"),
        ("https://x-access-token:s3cret@host/a.git", "https://***@host/a.git"),
        ("?to=https%3A%2F%2Fme%3As3cret%40host%2Fx&a=b", "?to=https%3A%2F%2F***%40host%2Fx&a=b"),
    ],
)
def test_credentials_in_an_address_are_taken_out(text: str, expected: str) -> None:
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "http://host:5000/api?a=b",
        "sqlite:////a/b.db",
        "http://127.0.0.1:5000: refused (see https://example.org); mail me@example.org",
        "ssh://git@example.org/team/project.git",
        "git@example.org:team/project.git",
        'FATAL: password authentication failed for user "me"',
        "dvc.lock: stages.train@adam-0.3: no such key",
        "commit 70905ec1f0c7b7cf6c25f0b4f1a24ce0a4a3d3bd, tokens in all: 5 of 7",
        f"fingerprint sha256:{SIGNATURE}",
        "TOKENIZERS_PARALLELISM=false",
        "    def pages(token: str, password: str | None) -> None:",
        "stages/training/Variant1/of/a/long/folder/name.py",
        "auth_cache_ttl_seconds = 60",
    ],
)
def test_other_text_stays_as_it_is(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("GET https://host/x?password=§&user=me", "hunter2"),
        ("GET https://host/x?user=me&sslpassword=§", "hunter2"),
        ("GET https://host/x?user=me;api_key=§#top", "hunter2"),
        ("GET https://host/x?access_token=§, which failed", "p%40ss%20word"),
        ("?next=%2Fx%3Fpassword%3DS&user=me", "hunter2"),
        ("GET https://host/x?password=§ failed", "two  spaced"),
        ("host=db user=me password=§ dbname=runs", "hunter2"),
        ("host=db user=me password='§' dbname=runs", "two  spaced"),
        ('connect(host="db", password="§", user="me")', 'quo\\"ted'),
        ("{'user': 'me', 'password': '§', 'a': 1}", "two  spaced"),
        ("{'user': 'me', 'password': b'§', 'a': 1}", "hunter2"),
        ('{"user": "me", "clientSecret": "§", "a": 1}', "a,b}c&d"),
        (r"{\"user\": \"me\", \"token\": \"§\", \"a\": 1}", "hunter2"),
        ("admin_password = §", "two  spaced & a ? more"),
        ("+  password: §", "two  spaced"),
        ("-export MLFLOW_TRACKING_PASSWORD=§", "hunter2"),
        ("+MLFLOW_TRACKING_TOKEN=§", "hunter2"),
        ("mlflow server --password § --port 5000", "hunter2"),
        ("mlflow server --admin-password='§' --port 5000", "two  spaced"),
        ("curl -u me:§ http://host", "hunter2"),
        ("Authorization: §", "Basic " + base64.b64encode(b"me:hunter2").decode()),
        ("headers {'Authorization': '§', 'Accept': '*'}", "Bearer abc.def"),
        ("it sent Authorization: §", "Bearer abc.def"),
        ("it sent Bearer §", "abcdefghijklmnop"),
        ("> Cookie: §", "session=abc; other=def"),
        ("<Password>§</Password>", "two  spaced"),
        ("aws_secret_access_key = §", AWS_KEY),
        ('"SecretAccessKey": "§"', AWS_KEY),
        ("+    secretAccessKey: §", AWS_KEY),
        ("the key § is no good", AWS_KEY),
        ("the key § is no good", AWS_ID),
        ("aws_session_token=§", "FwoGZXIvYXdzEBYaDH//////////wEaD+x=="),
        ("https://s3/b?AWSAccessKeyId=§&Expires=1", AWS_ID),
        (f"https://s3/b?X-Amz-Credential={AWS_ID}%2Fx&X-Amz-Signature=§&a=b", SIGNATURE),
        ("https://s3/b?X-Amz-Security-Token=§&a=b", "FwoGZXIvYXdz%2F%2F%3D"),
        ("https://s3/b?AWSAccessKeyId=x&Signature=§&Expires=1", "vjbyPxybdZaNmGa%2ByT272YEAiv4%3D"),
        (
            f"Authorization: AWS4-HMAC-SHA256 Credential={AWS_ID}/{SCOPE}, "
            "SignedHeaders=host, Signature=§",
            SIGNATURE,
        ),
        (f"'AWS4-HMAC-SHA256 Credential={AWS_ID}/{SCOPE}, Signature=§'", SIGNATURE),
        (f"<Code>x</Code><AWSAccessKeyId>{AWS_ID}</AWSAccessKeyId>", AWS_ID),
        ("<StringToSign>§</StringToSign><SignatureProvided>x</SignatureProvided>", "AWS4\nabc"),
        ("https://blob/x?sv=2022&sig=§&se=1", "abcdefghijkl%2Bmnop%3D"),
        ("DefaultEndpointsProtocol=https;AccountKey=§;EndpointSuffix=x", "abc/def+ghi=="),
        ("token ghp_§ is revoked", "a1" * 18),
        ("see glpat-§", "a1" * 10),
        ("see eyJhbGciOiJIUzI1NiJ9.§", "eyJzdWIiOiIxIn0.abcdef-_"),
        (
            "-----BEGIN RSA PRIVATE" + " KEY-----\n+§\n-----END RSA PRIVATE KEY-----",
            "MIIEow\n+IBAA",
        ),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, secret: str) -> None:
    told = redacted(text.replace("§", secret))
    assert "***" in told
    assert AWS_ID not in told
    for part in secret.split("  "):
        assert part not in told
    assert redacted(told) == told


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("GET https://host/x?password=hunter2&user=me", "&user=me"),
        ("{'password': 'two  spaced', 'user': 'me'}", "'user': 'me'}"),
        ("cannot open https://token@host/a.git: not found", "host/a.git: not found"),
        ("mlflow server --password hunter2 --port 5000", "--port 5000"),
        ("+password: two  spaced\n+epochs: 2", "\n+epochs: 2"),
    ],
)
def test_what_stands_beside_a_secret_stays(text: str, kept: str) -> None:
    assert redacted(text).endswith(kept)


WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent-encoded": lambda secret: quote(secret, safe=""),
    "in lower case": lambda secret: quote(secret, safe="").lower().replace("hunter", "Hunter"),
    "with a plus for a space": quote_plus,
    "twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "by configparser": lambda secret: quote(secret, safe="").replace("%", "%%"),
    "as JSON": json.dumps,
    "as JSON in JSON": lambda secret: json.dumps(json.dumps(secret)),
    "as Python": repr,
    "in HTML": html.escape,
    "in one line": lambda secret: " ".join(secret.split()),
    "broken": lambda secret: secret.replace("  ", "\n  "),
}


@pytest.mark.parametrize("how", WRITTEN)
@pytest.mark.parametrize(
    "variable",
    [
        "MLFLOW_TRACKING_PASSWORD",
        "PGPASSWORD",
        "AWS_SECRET_ACCESS_KEY",
        "GITHUB_TOKEN",
        "X_API_KEY",
    ],
)
def test_secrets_of_the_environment_are_taken_out_however_they_are_written(
    monkeypatch: pytest.MonkeyPatch, variable: str, how: str
) -> None:
    secret = 'Hunter2  @/?&"<é%\\'
    monkeypatch.setenv(variable, secret)
    told = redacted(f"the server says: {WRITTEN[how](secret)} is wrong")
    assert "unter2" not in told
    assert told.startswith("the server says: ")
    assert told.endswith(" is wrong")


@pytest.mark.parametrize(
    ("address", "secret"),
    [
        ("https://me:p%40ss  word@host", "p@ss  word"),
        ("https://me:p%40ss%20word@host", "p%40ss%20word"),
        ("https://s3cret@host", "s3cret"),
        ("postgresql://host/runs?user=me&password=s3cret", "s3cret"),
    ],
)
def test_secrets_of_addresses_in_the_environment_are_taken_out_wherever_they_stand(
    monkeypatch: pytest.MonkeyPatch, address: str, secret: str
) -> None:
    monkeypatch.setenv("ANY_ADDRESS", address)
    assert redacted(f"{secret!r} is wrong") == "'***' is wrong"


def test_a_short_or_usual_value_hides_no_other_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "a")
    monkeypatch.setenv("OTHER_TOKEN", "true")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "main")
    monkeypatch.setenv("PWD", "/home/me")
    text = "a branch main in /home/me is true"
    assert redacted(text) == text


def test_a_reason_is_one_short_line_and_names_the_error_where_it_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert reason(ValueError("a\n  b")) == "a b"
    assert reason(KeyboardInterrupt()) == "KeyboardInterrupt"
    assert len(reason(ValueError("x" * 1000))) == 300
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "two  spaced")
    assert reason(ValueError("two  spaced is wrong")) == "*** is wrong"


@pytest.mark.parametrize(
    "piece",
    ["a", "x://", "x://a:", "x://a:b c", "ssh://a", "%3A%2F%2Fx", "token=", "token='", "<token>",
     "-token ", "passwordpasswd", "-----BEGIN PRIVATE" " KEY-----", "eyJ", "A1a/", "\\", "\n+ "],
)  # fmt: skip
def test_a_long_text_of_a_branch_takes_no_time(piece: str) -> None:
    begin = time.process_time()
    redacted(piece * (100_000 // len(piece)))
    assert time.process_time() - begin < 3  # a quadratic pattern takes minutes
