"""Why something failed, in words that may be shown, stored and passed on: without credentials.

A store's address may hold a password, and the libraries' errors quote it.
"""

from __future__ import annotations

import os
import re
from urllib.parse import unquote, urlsplit

SECRET_VARIABLES = (
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_AUTH_ADMIN_PASSWORD",
    "MLFLOW_FLASK_SERVER_SECRET_KEY",
    "PGPASSWORD",
)
ADDRESS_VARIABLES = ("MLFLOW_TRACKING_URI", "MLFLOW_BACKEND_STORE_URI")
HIDDEN = "***"


def redacted(text: str) -> str:
    """`text` without passwords: those within addresses, and the environment's own."""
    # Up to the last @: a password may hold one, though an address should not. Rather too much.
    text = re.sub(r"(\w://)[^\s/@]*:\S*@", rf"\1{HIDDEN}@", text)
    for secret in secrets():
        text = text.replace(secret, HIDDEN)
    return text


def secrets() -> list[str]:
    """The passwords and tokens in the environment, as they stand there and decoded."""
    found = {os.environ.get(name, "") for name in SECRET_VARIABLES}
    for name in ADDRESS_VARIABLES:
        try:
            password = urlsplit(os.environ.get(name, "")).password or ""
        except ValueError:  # no address
            continue
        found |= {password, unquote(password)}
    # A short one ("a", "1") would blacken half of every text, and hides nothing
    return sorted((secret for secret in found if len(secret) > 3), key=len, reverse=True)


def reason(error: BaseException) -> str:
    """What `error` says, in one line that is not too long, without credentials."""
    return redacted(" ".join(str(error).split()))[:300] or type(error).__name__
