"""`make install` mends what it finds, or says what is needed; pip itself is left out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def folder(root: Path, tmp_path: Path) -> Path:
    """What `make install` needs."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(root / name, tmp_path)
    return tmp_path


def install(folder: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    """`make install` by this Python; nothing is installed."""
    return subprocess.run(
        ["make", "install", "PIP=true", *settings],
        cwd=folder, capture_output=True, text=True,
        env={"PATH": "/usr/bin:/bin", "PYTHON": base()},
    )  # fmt: skip


def base() -> str:
    """This environment's own Python, outside of it."""
    return str(Path(sys.executable).resolve())


def test_an_environment_without_pip_or_python_is_mended(folder: Path) -> None:
    subprocess.run([base(), "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    for _ in ("without pip", "without a python"):
        result = install(folder)
        assert result.returncode == 0, result.stderr
        subprocess.run([folder / ".venv/bin/python", "-m", "pip", "--version"], check=True)
        assert "Nothing to be done" in install(folder).stdout
        (folder / ".venv/bin/python").unlink()
        (folder / ".venv/bin/python").symlink_to("/no/such/python")


def test_a_moved_environment_is_made_anew_and_one_that_is_a_link_is_left_alone(
    folder: Path,
) -> None:
    shutil.copytree(folder, folder / "moved")
    subprocess.run([base(), "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    (folder / ".venv/of-old").touch()
    for target in ("moved", "linked"):
        (folder / target).mkdir(exist_ok=True)
    shutil.copytree(folder / ".venv", folder / "moved/.venv", symlinks=True)
    assert install(folder / "moved").returncode == 0
    assert not (folder / "moved/.venv/of-old").exists()
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(folder / name, folder / "linked")
    (folder / "linked/.venv").symlink_to(folder / ".venv")
    assert install(folder / "linked").returncode == 0
    assert (folder / ".venv/of-old").exists()


def test_a_python_that_the_libraries_do_not_have_is_named_before_anything_is_made(
    folder: Path,
) -> None:
    python = folder / "python"
    code = "import sys; sys.version_info = (3, 14, 0); exec(sys.argv[1])"
    python.write_text(f'#!/bin/sh\nexec {base()} -c "{code}" "$2"\n')
    python.chmod(0o755)
    result = install(folder, f"PYTHON={python}")
    assert "error: Python 3.11, 3.12 or 3.13 is needed and this is 3.14" in result.stderr
    assert not (folder / ".venv").exists()


def test_a_clone_with_windows_line_endings_has_the_same_bytes(root: Path, tmp_path: Path) -> None:
    git = ["git", "-c", "core.autocrlf=true"]
    subprocess.run([*git, "clone", "--quiet", "--depth=1", root.as_uri(), tmp_path], check=True)
    listed = subprocess.run(
        [*git, "ls-files", "--eol"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert "w/lf" in listed.stdout
    assert "crlf" not in listed.stdout
