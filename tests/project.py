"""A copy of this project in a folder of its own, small enough to train in seconds, for real."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from ruamel.yaml import YAML

from tests import preloaded

ROOT = Path(__file__).parent.parent
SLICE = Path(__file__).parent / "slice"  # the first pictures of the real data set
PATHS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
)
yaml = YAML()  # keeps comments and order, as a person's editor would


class Project:
    """A git and DVC repository of its own, with real data, a real store and real commands."""

    preloads = True  # whether its programs are those of `tests.preloaded`

    def __init__(self, root: Path) -> None:
        self.root = root
        files = self.git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
        for name in filter(None, files.split("\0")):
            if (ROOT / name).is_file() and not name.startswith(("reports/", "dvc.lock")):
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, root / name)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "tester")
        self.git("config", "user.email", "tester@example.org")

    def copy(self, root: Path, store: bool = True) -> Project:
        """The same repository elsewhere, with a copy of its MLflow store or without one."""
        left = shutil.ignore_patterns("tmp", *(() if store else ("mlflow.db*", "mlruns")))
        shutil.copytree(self.root, root, symlinks=True, ignore=left)
        if (database := root / "mlflow.db").exists():
            with closing(sqlite3.connect(database)) as connection, connection:
                for table, column in PATHS:  # MLflow names places by their paths
                    change = f"UPDATE {table} SET {column} = replace({column}, ?, ?)"
                    connection.execute(change, (str(self.root), str(root)))
        return Project.at(root)

    @classmethod
    def at(cls, root: Path) -> Project:
        """The project that is there already."""
        project = cls.__new__(cls)
        project.root = root
        return project

    def keep(self, *variants: str) -> None:
        """Take the results of all others out of dvc.lock: less to wait for."""
        file = self.root / "dvc.lock"
        content = yaml.load(file.read_text())
        for stage in list(content["stages"]):
            if stage.partition("@")[2] not in ("", *variants):
                del content["stages"][stage]
        with file.open("w") as stream:
            yaml.dump(content, stream)
        self.commit(f"only {' and '.join(variants)}")

    def shrink(self) -> None:
        """Two optimizers, two dropouts, two studies, two seeds, two epochs, 600 pictures."""
        with self.params() as params:
            hashes = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in SLICE.iterdir()}
            params["fetch"]["sha256"] = hashes
            params["prepare"]["validation_size"] = 120
            params["train"] = {"epochs": 2, "batch_size": 32, "seeds": [1, 2]}
            for name in set(params["optimizers"]) - {"sgd", "adam"}:
                del params["optimizers"][name]
            params["target"]["validation_accuracy"] = 0.4
            for section, kept in (("studies", "elu"), ("reuse", "reused_frozen")):
                params[section] = {kept: params[section][kept]}
        self.commit("a small project")

    def params(self) -> Edited:
        """`with project.params() as params:` edits params.yaml in place."""
        return Edited(self.root / "params.yaml")

    def env(self) -> dict[str, str]:
        """This process's environment, with the slice as the source of the data."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "DVC_", "GIT_"))}
        env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
        return env | {"FASHION_MNIST_DIR": str(SLICE), "MLFLOW_DISABLE_TELEMETRY": "true"}

    def variables(self) -> dict[str, str]:
        """The environment of its programs."""
        return self.env() | (preloaded.env() if self.preloads else {})

    def run(
        self, *command: str, cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """A command in the project's folder, whatever its exit code; see `tests.preloaded`."""
        variables = self.variables() | env
        return subprocess.run(
            command, cwd=cwd or self.root, env=variables, capture_output=True, text=True
        )

    def start(self, *command: str, **env: str) -> subprocess.Popen[str]:
        """A command that goes on meanwhile, in a session of its own, with one output."""
        return subprocess.Popen(
            command, cwd=self.root, env=self.variables() | env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def programs(self, name: str = "") -> list[psutil.Process]:
        """The programs at work in the project's folder, or those of one module."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, psutil.Error):  # it ended meanwhile
                named = not name or (folder / "comm").read_text() == f"{name}\n"
                if named and os.readlink(folder / "cwd") == str(self.root):
                    found.append(psutil.Process(int(folder.name)))
        return found

    def ok(self, *command: str, cwd: Path | None = None, **env: str) -> str:
        """What a command prints; it must succeed."""
        result = self.run(*command, cwd=cwd, **env)
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        return self.ok("git", *arguments, cwd=cwd)

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def stale(self) -> set[str]:
        """The stages that `dvc repro` would run."""
        return set(json.loads(self.ok("dvc", "status", "--json")))

    def would_run(self) -> set[str]:
        """The stages that `dvc repro --dry` says that it runs."""
        lines = self.ok("dvc", "repro", "--dry").splitlines()
        return {line.split("'")[1] for line in lines if line.startswith("Running stage")}

    def uri(self) -> str:
        return f"sqlite:///{self.root / 'mlflow.db'}"

    def runs(self, query: str = "", order: str = "attributes.start_time DESC") -> list[Any]:
        """The runs that the store has; the newest first."""
        from mlflow import MlflowClient

        client = MlflowClient(self.uri())
        experiment = client.get_experiment_by_name("fashion-mnist").experiment_id
        found = client.search_runs([experiment], query, max_results=1000, order_by=[order])
        return list(found)

    def tree(self, *folders: str) -> dict[str, str]:
        """The hash of each file below the folders."""
        files = [f for folder in folders for f in sorted((self.root / folder).rglob("*"))]
        files += [self.root / name for name in folders]
        return {
            str(f.relative_to(self.root)): hashlib.sha256(f.read_bytes()).hexdigest()
            for f in files
            if f.is_file()
        }


class Edited:
    """A YAML file, changed within a `with` block and written back as a person would leave it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Any:
        self.content = yaml.load(self.path.read_text())
        return self.content

    def __exit__(self, *_: object) -> None:
        with self.path.open("w") as file:
            yaml.dump(self.content, file)


def slice_idx(source: Path, target: Path, train: int = 600, test: int = 200) -> None:
    """Write the first pictures of each idx file of `source`: how `tests/slice` was made."""
    for file in sorted(source.iterdir()):
        rows = train if file.name.startswith("train") else test
        content = np.frombuffer(file.read_bytes(), dtype=np.uint8)
        header, size = (16, 784) if "images" in file.name else (8, 1)
        head = bytearray(content[:header].tobytes())
        head[4:8] = rows.to_bytes(4, "big")
        (target / file.name).write_bytes(bytes(head) + content[header:][: rows * size].tobytes())
