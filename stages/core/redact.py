"""Remove credentials from text: all that is shown, stored or passed on goes through `redacted`.

Libraries quote addresses, headers and settings in their errors, and a diff holds whatever somebody
typed. Better to remove too much than too little.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterator
from urllib.parse import unquote

HIDDEN = "***"
USUAL = ("true", "false", "none", "null")  # never a secret, whatever the variable's name

NAME = (  # how the name of a setting, parameter, header or variable with a secret ends
    r"(?:pass(?:word|wd|phrase)|(?<!old)pwd|secret|token|credential"
    r"|(?:api|access|account|private|secret|signing|storage)[_-]?key)s?(?:[_-]?(?:id|key))?"
)
VARIABLE = re.compile(rf"{NAME}$", re.I)
QUOTED = r"(?:[bruf]{0,2}(\\?[\"'])(?:\\.|(?!\2).){0,4096}?\2)"
SCHEME = r"(?:(?:Basic|Bearer|Digest|Negotiate|Token|AWS4?\S*)[ \t]+)?"
# Two spaces are more likely inside a password than between two words of a message
BARE = rf"{SCHEME}(?:[^\s&<]{{1,256}} {{2,8}}){{0,4}}[^\s&<]*[^\s&<\"'>)\]}},;:.]"
NOTHING = r"(?!(?:None|null|True|False|str|int|bool|bytes)\b)"

# The first group of each match is kept. All repetitions are bounded or cannot overlap: a branch may
# hold any text, and its cost must not grow faster than its length.
ADDRESSES = [
    re.compile(pattern, re.I)
    for pattern in (
        # Up to the last @, because a password may contain @ and spaces
        r"(\w://)[^\s/@]{0,1024}:\S{0,1024}(?=@)",
        r"(\w://)[^\s/@:]{0,256}:(?!\d{1,5}(?![\w%-]))[^\n@/]{0,256}(?=@)",
        r"(\w(?<!ssh)://)[^\s/@?#]{1,1024}(?=@)",
    )
]
PATTERNS = [
    re.compile(pattern, re.I | re.M)
    for pattern in (
        r"(%3A%2F%2F)[^\s&/]{1,1024}?(?=%40|@)",
        # A line of a file, a diff or a header: the rest of the line
        rf"^([ \t+-]{{0,20}}(?:export |set )?[\w.-]{{0,64}}{NAME}[ \t]*[:=][ \t]*)"
        rf"(?![\"'\s])(?![bruf]{{1,2}}[\"']){NOTHING}[^\n]{{1,4096}}",
        r"^([ \t+<>*-]{0,20}(?:Proxy-)?(?:Authorization|(?:Set-)?Cookie)[ \t]*:[ \t]*)"
        r"[^\n]{1,4096}",
        # In the middle of a line
        rf"((?:{NAME}|authorization|cookie)(?:\\?[\"'])?[ \t]*(?:=>|%3D|[:=])[ \t]*){NOTHING}"
        rf"(?:{QUOTED}|{BARE})",
        rf"(?<!\S)(--?[\w-]{{0,64}}{NAME}[ \t]+)(?!-)(?:{QUOTED}|\S+)",
        r"(?<!\S)((?:-u|--user|--proxy-user)[ =]+[^\s:]{1,256}:)\S+",
        rf"(<[\w:]{{0,64}}(?:{NAME}|Signature\w{{0,64}}|StringToSign|CanonicalRequest)>)[^<]{{1,8192}}",
        r"((?:signature|\bsig)(?:\\?[\"'])?[ \t]*(?:%3D|[:=])[ \t]*\\?[\"']?)[\w%+/=.-]{16,}",
        r"(\b(?:Basic|Bearer)[ \t]+)[\w.~+/=-]{16,}",
    )
]
# Secrets that are recognizable by their form
FORMS = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)"
    r"|\bA(?:KI|SI|RO|ID|GP|NP)A[A-Z0-9]{16}\b"
    r"|\bgh[opsur]_\w{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{20,}|\bhf_\w{20,}|\bnpm_\w{30,}"
    r"|\bpypi-[\w-]{16,}|\bsk-[\w-]{20,}|\bxox[a-z]-[\w-]{10,}|\bAIza[\w-]{35}|\bya29\.[\w.-]{20,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
    # AWS's secret keys, but no hexadecimal hashes
    r"|(?<![\w/+.-])(?=[a-z0-9/+]{0,39}[A-Z])(?=[A-Z0-9/+]{0,39}[a-z])(?=[A-Za-z/+]{0,39}\d)"
    r"[A-Za-z0-9/+]{40}(?![\w/+=.-])"
)
QUERY = re.compile(rf"[?&;][\w.-]*{NAME}=([^&;#]+)", re.I)


def redacted(text: str) -> str:
    """Replace credentials with `***`: those in the environment, and what looks like one."""
    for secret in secrets():
        text = anyhow(secret).sub(HIDDEN, text)
    for pattern in (*ADDRESSES, *PATTERNS):
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return FORMS.sub(HIDDEN, text)


def secrets() -> list[str]:
    """Return the secrets in environment variables, longest first."""
    found = set(in_environment())
    found |= {unquote(secret) for secret in found}
    # A short one ("a", "1") would hide half of every text and protect nothing
    return sorted((each for each in found if len(each) > 3 and each not in USUAL), key=len)[::-1]


def in_environment() -> Iterator[str]:
    """Yield the passwords, tokens and keys in environment variables, even inside URLs."""
    for name, value in os.environ.items():
        if VARIABLE.search(name) and name not in ("PWD", "OLDPWD"):
            yield value.strip()
        if "://" in value:
            for pattern in ADDRESSES:
                for found in pattern.finditer(value):
                    user, _, password = found[0].removeprefix(found[1]).partition(":")
                    yield password or user
            yield from QUERY.findall(value)


def anyhow(secret: str) -> re.Pattern[str]:
    """Return a pattern that finds a secret however it is written: percent-encoded (even twice, or
    with configparser's %%), escaped for JSON, HTML, Python or a shell, or with other spaces."""
    return re.compile("".join(map(written, re.findall(r"\s+|\S", secret))))


def written(character: str) -> str:
    """Return the regex for one character or a run of spaces."""
    if character.isspace():
        return r"(?:\s|\\[nrt]|\+|%(?:%|25)*(?:20|0A|0D|09))+"
    percent = "".join(f"%(?:%|25){{0,4}}(?i:{byte:02x})" for byte in character.encode())
    plain = {character, json.dumps(character)[1:-1], html.escape(character)}
    return rf"(?:\\{{0,4}}(?:{'|'.join(map(re.escape, sorted(plain)))})|{percent})"


def reason(error: BaseException) -> str:
    """Return the text of `error` in one line of at most 300 characters, without credentials."""
    return " ".join(redacted(str(error)).split())[:300] or type(error).__name__
