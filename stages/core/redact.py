"""Error texts without credentials, safe to show, store and pass on.

A store's address may contain a password, and the libraries quote the address in their errors.
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
    """Return `text` without passwords: those in addresses, and those in the environment."""
    # Up to the last @, because a password may contain one: rather remove too much.
    text = re.sub(r"(\w://)[^\s/@]*:\S*@", rf"\1{HIDDEN}@", text)
    for secret in secrets():
        text = text.replace(secret, HIDDEN)
    return text


def secrets() -> list[str]:
    """Return the passwords and tokens in the environment, percent-encoded and decoded."""
    found = {os.environ.get(name, "") for name in SECRET_VARIABLES}
    for name in ADDRESS_VARIABLES:
        try:
            password = urlsplit(os.environ.get(name, "")).password or ""
        except ValueError:  # no address
            continue
        found |= {password, unquote(password)}
    # A short one ("a", "1") would hide half of every text and protect nothing
    return sorted((secret for secret in found if len(secret) > 3), key=len, reverse=True)


def reason(error: BaseException) -> str:
    """Return the text of `error` in one line of at most 300 characters, without credentials."""
    return redacted(" ".join(str(error).split()))[:300] or type(error).__name__
