"""Programs of tests without their imports: TensorFlow, MLflow and DVC take seconds to import, and
tests start hundreds of programs.

A server (`server.py`) imports the libraries, but nothing of this project, and forks for each
program. `python`, `dvc` and `branchmark` on the PATH of a test are a client (`client.py`) that
hands over its arguments, environment and streams, and ends as the program does; the program has the
name of its module (`ps -o comm`), and its usage is written to the file that TESTS_SCHEDSTAT names.
Some programs run as they are: `dvc` with `--force`, which a stage reads off the programs above it,
those with a PYTHONPATH that is not their folder, and all that a test starts with `Project.env()`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from filelock import FileLock

HERE = Path(__file__).parent
NAMES = ("python", "dvc", "branchmark")


@cache
def env() -> dict[str, str]:
    """Start the server unless it runs; return the variables with which programs are run by it."""
    if run := os.environ.get("PYTEST_XDIST_TESTRUNUID"):  # all processes of pytest share a server
        owner, folder = os.getppid(), Path(tempfile.gettempdir(), f"preloaded-{run}")
        folder.mkdir(mode=0o700, exist_ok=True)
    else:
        owner, folder = os.getpid(), Path(tempfile.mkdtemp(prefix="preloaded-"))
    real = Path(sys.executable).parent
    variables = {
        "PATH": f"{folder / 'bin'}{os.pathsep}{real}{os.pathsep}{os.environ['PATH']}",
        "TESTS_SERVER": str(folder / "socket"),
        "TESTS_ROOT": str(HERE.parents[1]),
        "TESTS_PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    with FileLock(folder / "lock"):
        if not (folder / "bin").exists():
            start(folder, owner, variables)
    return variables


def start(folder: Path, owner: int, variables: dict[str, str]) -> None:
    """Start the server, which ends with the process `owner`, and write its clients."""
    (folder / "bin").mkdir()
    for name in NAMES:
        program = folder / "bin" / name
        program.write_text(f"#!{sys.executable} -IS\n{(HERE / 'client.py').read_text()}")
        program.chmod(0o755)
    unmeasured = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    server = subprocess.Popen(
        [sys.executable, "-P", str(HERE / "server.py"), str(folder), str(owner)],
        env=unmeasured | {"MLFLOW_DISABLE_TELEMETRY": "true"} | variables,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    server.returncode = 0  # it outlives this process: nobody here waits for it
