"""An output is whole or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stages.core.errors import UserError
from stages.core.folders import replaced, write


def test_an_output_appears_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "runs/adam"
    for text in ("old", "new"):
        with replaced(target) as folder:
            (folder / "file").write_text(text)
            assert folder != target
    assert (target / "file").read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["adam"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, OSError])
def test_whatever_ends_the_writing_the_old_output_stays(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "adam"
    with replaced(target) as folder:
        (folder / "file").write_text("old")

    def interrupted() -> None:
        with replaced(target) as folder:
            (folder / "file").write_text("half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert (target / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["adam"]


def test_what_a_killed_process_left_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "adam.partial").mkdir()
    (tmp_path / "adam.partial/half").write_text("half")
    with replaced(tmp_path / "adam") as folder:
        (folder / "file").write_text("whole")
    assert [path.name for path in (tmp_path / "adam").iterdir()] == ["file"]


HOLD = """
import sys, time
from pathlib import Path
from stages.core.folders import replaced
with replaced(Path(sys.argv[1])) as folder:
    (folder / "file").write_text("half")
    print("begun", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writing(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is writing `adam`."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "adam")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    yield process
    process.kill()
    process.communicate()


def replace(target: Path) -> None:
    with replaced(target) as folder:
        (folder / "file").write_text("whole")


def test_two_processes_do_not_write_the_same_output_at_once(
    tmp_path: Path, writing: subprocess.Popen[str]
) -> None:
    with pytest.raises(UserError, match=r"adam.partial: another process is writing it"):
        replace(tmp_path / "adam")
    assert (tmp_path / "adam.partial/file").read_text() == "half"  # it was not disturbed
    writing.kill()
    writing.wait()
    replace(tmp_path / "adam")
    assert (tmp_path / "adam/file").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["adam"]


def test_ctrl_c_in_the_moment_in_which_the_folder_appears_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from stages.core.folders import replaced\n"
        "target = Path(sys.argv[1])\n"
        "opened = []\n"
        "def interrupt(event, arguments):\n"
        "    if event == 'open' and str(arguments[0]).endswith('adam.partial'):\n"
        "        opened.append(event)\n"
        "        if len(opened) == 1:\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.addaudithook(interrupt)\n"
        "with replaced(target):\n"
        "    print('written')\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "adam")]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.stdout == ""
    assert "KeyboardInterrupt" in ended.stderr
    assert not list(tmp_path.iterdir())


def test_an_old_output_that_was_half_removed_is_not_seen(tmp_path: Path) -> None:
    """A process killed while it removes the old output has renamed it before."""
    replace(tmp_path / "adam")
    program = (
        "import os, shutil, signal, sys\n"
        "from pathlib import Path\n"
        "from stages.core import folders\n"
        "shutil.rmtree = lambda path: os.kill(os.getpid(), signal.SIGKILL)\n"
        "with folders.replaced(Path(sys.argv[1])) as partial:\n"
        "    (partial / 'file').write_text('new')\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path / "adam")])
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "adam/file").read_text() == "new"
    replace(tmp_path / "adam")
    assert [path.name for path in tmp_path.iterdir()] == ["adam"]


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    write(tmp_path / "new/file", "text")
    with pytest.raises(TypeError):
        write(tmp_path / "new/file", None)  # type: ignore[arg-type]
    assert (tmp_path / "new/file").read_text() == "text"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file"]


def test_several_writers_of_a_file_do_not_share_a_temporary_one(tmp_path: Path) -> None:
    target = tmp_path / "file"
    texts = [str(i) * 100_000 for i in range(8)]
    with ThreadPoolExecutor(8) as threads:
        for _ in range(5):
            list(threads.map(write, [target] * 8, texts))
            assert target.read_text() in texts
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_that_is_replaced_keeps_its_rights_and_a_new_one_has_those_of_any(
    tmp_path: Path,
) -> None:
    (tmp_path / "other").write_text("")
    write(tmp_path / "file", "a")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "other").stat().st_mode
    (tmp_path / "file").chmod(0o750)
    write(tmp_path / "file", "b")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o750


def test_what_is_renamed_is_on_the_disk_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, rename = os.fsync, Path.rename

    def synced(number: int) -> None:
        done.append("sync")
        sync(number)

    def renamed(path: Path, target: Path) -> None:
        done.append("rename")
        rename(path, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "rename", renamed)
    monkeypatch.setattr(Path, "replace", renamed)
    write(tmp_path / "file", "a")
    with replaced(tmp_path / "folder") as folder:
        (folder / "file").write_text("")
    assert done == ["sync", "rename", "sync", "sync", "rename"]
