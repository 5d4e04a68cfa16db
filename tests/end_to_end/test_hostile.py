"""A branch may hold anything: no command that looks at it breaks, hangs, or touches what is not
its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests import preloaded

ROOT = Path(__file__).parents[2]


def test_a_thousand_hostile_and_broken_revisions_break_nothing_and_touch_nothing(
    tmp_path: Path,
) -> None:
    """Through `compare`, `sync --dry-run`, `sync`, and all that `verify` reads, in a process whose
    calls are watched."""
    folder = tmp_path / "inside"
    for name in ("project", "home", "tmp"):
        (folder / name).mkdir(parents=True)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "DVC_", "GIT_"))}
    home = str(folder / "home")
    env |= {
        "HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home, "MPLCONFIGDIR": home,
        "TMPDIR": str(folder / "tmp"), "HYPOTHESIS_STORAGE_DIRECTORY": home,
        "GIT_CONFIG_NOSYSTEM": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT),
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }  # fmt: skip
    done = subprocess.run(
        ["python", "-m", "tests.end_to_end.hostile", str(folder)],
        cwd=ROOT, env=env | preloaded.env(), capture_output=True, text=True, timeout=1800,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-5000:]
    found = json.loads(done.stdout.splitlines()[-1])
    print(found)
    assert found["revisions"] >= 1000
    assert found["told"]["compare"] > 100  # they are hostile indeed
    assert found["told"]["sync"] > 20
