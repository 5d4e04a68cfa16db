"""DVC's files are read and written as DVC writes them, and what it cannot tell is found out."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from stages.core.errors import UserError
from stages.vcs import dvc


def test_the_lock_file_is_put_in_order_without_changing_a_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    head = "schema: '2.0'\nstages:\n"
    b, a = "  b@0.3:\n    cmd: x\n    outs:\n    - path: b\n", "  a:\n    cmd: y\n"
    dvc.LOCK.write_text(head + b + a)
    assert dvc.stages_locked() == ["b@0.3", "a"]
    dvc.arrange(["a", "not there"])
    assert dvc.LOCK.read_text() == head + a + b
    dvc.arrange(["b@0.3", "a"])
    assert dvc.LOCK.read_text() == head + b + a


def test_a_lock_file_in_another_encoding_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dvc.LOCK.write_text("schema: '2.0'\n", encoding="utf-16")
    with pytest.raises(UserError, match=r"^dvc\.lock: not UTF-8 .*; save it as UTF-8$"):
        dvc.stages_locked()


ASK = """
import sys
sys.path.insert(0, sys.argv[1])
from stages.vcs import dvc
print(dvc.forced())
"""


def test_a_stage_knows_that_it_is_forced(tmp_path: Path, root: Path) -> None:
    """By the words of the program above it, or by the environment."""
    program = tmp_path / "dvc"
    command = [sys.executable, "-c", ASK, str(root)]
    program.write_text(f"import subprocess\nsubprocess.run({command!r}, check=True)\n")

    def told(*words: str, **env: str) -> str:
        started = [sys.executable, str(program), *words]
        done = subprocess.run(started, capture_output=True, text=True, env=env, check=True)
        return done.stdout.strip()

    assert told("repro") == "False"
    assert told("repro", "-f") == told("repro", "-sf", "x") == told("repro", "--force") == "True"
    assert told("exp", "run", "-f") == "True"
    assert told("push", "-f") == "False"
    assert told("repro", **{dvc.FORCE: "1"}) == "True"


def test_a_stage_says_whether_git_keeps_an_output(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n"
        "  kept: {cmd: a, metrics: [{b.json: {cache: false}}]}\n"
        "  cached: {cmd: a, outs: [b, {c: {persist: true}}]}\n"
        "  each: {foreach: [1], do: {cmd: a, plots: [b.csv, {c.csv: {cache: false}}]}}\n"
    )
    found = dvc.pipeline(tmp_path / "dvc.yaml")
    assert {name for name, stage in found.items() if stage.in_git} == {"kept", "each"}


# Another DVC at work

HOLDS = """
import sys, time, zc.lockfile
lock = zc.lockfile.LockFile(sys.argv[1])  # as DVC does
print("held", flush=True)
time.sleep(float(sys.argv[2]))
open(".dvc/tmp/rwlock", "w").write("{}")
lock.close()
"""


@contextmanager
def another_dvc(seconds: float) -> Iterator[int]:
    """A program that holds DVC's lock for so long; its number."""
    dvc.BUSY.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-c", HOLDS, str(dvc.BUSY), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as program:
        assert program.stdout
        program.stdout.readline()
        try:
            yield program.pid
        finally:
            program.kill()


def test_another_dvc_is_waited_for_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with another_dvc(2) as number:
        dvc.RWLOCK.write_text('{"half')  # which it is writing
        dvc.mend()
    assert dvc.RWLOCK.read_text() == "{}"
    said = capsys.readouterr().err
    assert said == f"another DVC (process {number}) is at work here; waiting for it\n"
    with dvc.alone():  # and nobody has it now
        pass


def test_who_holds_the_lock_for_too_long_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with another_dvc(60) as number:
        begin = time.monotonic()
        sentence = rf"^\.dvc/tmp/lock: .*process {number}\) has held it"
        with pytest.raises(UserError, match=sentence), dvc.alone(seconds=0.3):
            pytest.fail("both have it")
        assert time.monotonic() - begin < 5


def test_dvc_lock_is_not_put_in_order_beside_another_dvc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dvc.LOCK.write_text("schema: '2.0'\nstages:\n  b:\n    cmd: b\n  a:\n    cmd: a\n")
    with another_dvc(60):
        before = dvc.LOCK.read_text()
        waits = Thread(target=dvc.arrange, args=(["a", "b"],), daemon=True)
        waits.start()
        time.sleep(0.5)
        assert dvc.LOCK.read_text() == before
    waits.join(10)
    assert dvc.stages_locked() == ["a", "b"]
