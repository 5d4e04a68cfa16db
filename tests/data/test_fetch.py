"""The data come from the first source that has them, whole and right, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages import fetch
from stages.core.errors import UserError
from stages.data import sources
from tests.processes import Handler, listening
from tests.project import ROOT, SLICE

HASHES = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(SLICE.iterdir())}


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A folder with the four files as `.gz`."""
    folder = tmp_path / "packed"
    folder.mkdir()
    for path in SLICE.iterdir():
        (folder / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    return folder


@pytest.fixture
def server(packed: Path) -> Iterator[str]:
    """The address of a web server on this machine that serves them."""

    class Serving(Handler, http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(packed))  # type: ignore[arg-type]

    with listening(Serving) as address:
        yield f"{address}/"


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


def web(url: str) -> sources.Source:
    return sources.Source(url, sources.from_web(url))


def folder(path: Path, chosen: bool = False) -> sources.Source:
    return sources.Source(str(path), sources.in_folder(path), chosen)


def test_every_source_gives_the_same_bytes(packed: Path, server: str) -> None:
    plain, zipped, remote = (
        fetch.first_of([source], HASHES) for source in (folder(SLICE), folder(packed), web(server))
    )
    assert plain == zipped == remote
    assert plain == {path.name: path.read_bytes() for path in SLICE.iterdir()}


def test_a_source_that_never_answers_is_left_within_10_seconds(
    silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sources.TIMEOUT < 10
    monkeypatch.setattr(sources, "TIMEOUT", 0.5)
    files = fetch.first_of([web(silent), folder(SLICE)], HASHES)  # else it would wait for ever
    assert set(files) == set(HASHES)


def test_a_source_that_refuses_or_has_no_address_is_left_for_the_next(packed: Path) -> None:
    nowhere = [web("http://127.0.0.1:9/"), web("https://no-such-host.invalid/"), folder(packed)]
    assert set(fetch.first_of(nowhere, HASHES)) == set(HASHES)


def test_a_wrong_hash_names_file_expected_and_found(packed: Path) -> None:
    name = "t10k-labels-idx1-ubyte"
    wrong = gzip.compress(b"something else")
    (packed / f"{name}.gz").write_bytes(wrong)
    found = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(UserError) as caught:
        fetch.first_of([folder(packed)], HASHES)
    assert f"{name}: SHA-256 expected {HASHES[name]}, found {found}" in str(caught.value)


def test_a_source_with_a_wrong_file_is_left_for_one_that_is_right(packed: Path) -> None:
    (packed / "train-labels-idx1-ubyte.gz").write_bytes(b"not gzip at all")
    assert set(fetch.first_of([folder(packed), folder(SLICE)], HASHES)) == set(HASHES)


def test_all_sources_failing_says_what_was_tried_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        fetch.first_of([folder(tmp_path / "a"), folder(tmp_path)], HASHES)
    text = str(caught.value)
    assert "FASHION_MNIST_DIR" in text
    assert f"{tmp_path / 'a'}: no such folder" in text
    assert f"{tmp_path}: it has no t10k-images-idx3-ubyte or" in text


def test_a_folder_that_the_person_named_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASHION_MNIST_DIR", str(tmp_path))
    with pytest.raises(UserError, match=r"FASHION_MNIST_DIR\): it has no t10k-images.*correct it"):
        fetch.first_of(sources.all_sources(), HASHES)


def test_a_failed_fetch_leaves_nothing_behind(
    tmp_path: Path, packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (packed / "train-labels-idx1-ubyte.gz").unlink()
    monkeypatch.setenv("FASHION_MNIST_DIR", str(packed))
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError):
        fetch.main()
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(not shutil.which("apt-get"), reason="needs Debian's apt client")
def test_debians_package_is_had_without_installing_it(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from stages.params import schema as params

    hashes = params.load().fetch.sha256.model_dump(by_alias=True)
    files = fetch.take(sources.Source("Debian", sources.from_debian), hashes)
    assert len(files["train-images-idx3-ubyte"]) == 16 + 60_000 * 784
