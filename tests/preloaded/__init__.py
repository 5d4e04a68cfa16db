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

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
NAMES = ("python", "dvc", "branchmark")


@cache
def env() -> dict[str, str]:
    """Start the server; return the variables with which programs are run by it."""
    folder = Path(tempfile.mkdtemp(prefix="preloaded-"))
    (folder / "bin").mkdir()
    for name in NAMES:
        program = folder / "bin" / name
        program.write_text(f"#!{sys.executable} -IS\n{(HERE / 'client.py').read_text()}")
        program.chmod(0o755)
    real = Path(sys.executable).parent
    variables = {
        "PATH": f"{folder / 'bin'}{os.pathsep}{real}{os.pathsep}{os.environ['PATH']}",
        "TESTS_SERVER": str(folder / "socket"),
        "TESTS_ROOT": str(HERE.parents[1]),
        "TESTS_PYTHONPATH": os.environ.get("PYTHONPATH", ""),
    }
    unmeasured = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    # It ends when its input does, so also when this process is killed
    server = subprocess.Popen(
        [sys.executable, "-P", str(HERE / "server.py"), str(folder)],
        env=unmeasured | {"MLFLOW_DISABLE_TELEMETRY": "true"} | variables,
        stdin=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    atexit.register(end, server, folder)
    return variables


def end(server: subprocess.Popen[bytes], folder: Path) -> None:
    """Let the server end, and remove its folder."""
    server.communicate()
    shutil.rmtree(folder, ignore_errors=True)
