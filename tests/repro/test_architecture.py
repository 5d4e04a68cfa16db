"""The table of rooms, dvc.yaml and the imports of the code agree, or it is said where not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stages.core.errors import UserError
from stages.repro import architecture
from stages.repro.architecture import PROGRAMS, ROOMS, Code
from stages.vcs import dvc

TRAIN = """
stages:
  train:
    matrix: {optimizer: "${optimizers}"}
    cmd: python -m stages.train
    deps: [data/prepared, stages/train.py, stages/training]
"""


def project(root: Path, pipeline: str = TRAIN, **modules: str) -> Path:
    """A project with one module a room, e.g. `vcs="import stages.core.it"`."""
    for room in {"core", "training", *modules} - {"train"}:
        (root / "stages" / room).mkdir(parents=True, exist_ok=True)
        (root / "stages" / room / "__init__.py").touch()
        (root / "stages" / room / "it.py").write_text(modules.get(room, ""))
    (root / "stages/train.py").write_text(modules.get("train", "from stages.training import it"))
    (root / "dvc.yaml").write_text(pipeline)
    return root


def complaint(root: Path) -> str:
    with pytest.raises(UserError) as caught:
        architecture.check(root)
    return str(caught.value)


def test_this_project_keeps_to_its_table(root: Path) -> None:
    architecture.check()


def test_every_permission_of_the_table_is_used_and_has_its_reason(root: Path) -> None:
    code = Code.read()
    for name, program in PROGRAMS.items():
        reached = architecture.rooms(f"stages/{name}.py", code).keys()
        assert program.depends | program.imports.keys() <= reached, name
        assert not program.depends & program.imports.keys()
        assert all(len(reason.split()) > 5 for reason in program.imports.values())
        assert {*program.depends, *program.imports} <= {*ROOMS}


@pytest.mark.slow
@pytest.mark.parametrize("program", ["fetch", "prepare", "train"])
def test_the_modules_found_by_reading_are_those_that_python_imports(
    root: Path, program: str
) -> None:
    script = f"""
import sys, stages.{program}
print(*(m.__file__ for name, m in sys.modules.items() if name.split(".")[0] == "stages"))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    imported = {str(Path(line).relative_to(root)) for line in done.stdout.split()}
    assert f"stages/{program}.py" in imported
    assert imported - {"stages/__init__.py"} <= Code.read().reached(f"stages/{program}.py").keys()


def test_a_sound_project_passes(tmp_path: Path) -> None:
    architecture.check(project(tmp_path, training="from stages.core.it import x"))


@pytest.mark.parametrize(
    "line",
    [
        "import stages.vcs.it",
        "from stages.vcs import it",
        "from stages.vcs.it import x",
        "def f():\n    from stages.vcs import it",
        "if TYPE_CHECKING:\n    import stages.vcs.it as other",
    ],
)
def test_an_import_that_points_up_is_refused_wherever_it_stands(tmp_path: Path, line: str) -> None:
    text = complaint(project(tmp_path, core=line, vcs=""))
    assert "stages/core/it.py: imports stages/vcs/it.py, and vcs is above core" in text


def test_repro_reads_what_stages_reach_and_nothing_else(tmp_path: Path) -> None:
    root = project(tmp_path, core="import stages.vcs.it", sync="import stages.cli", vcs="")
    architecture.check(root, everything=False)
    (root / "stages/training/it.py").write_text("from stages.core import it")
    with pytest.raises(UserError, match="vcs is above core"):
        architecture.check(root, everything=False)


def test_what_computes_knows_no_room_but_core_and_data(tmp_path: Path) -> None:
    root = project(tmp_path, training="from stages.params import it", params="")
    assert "stages/training/it.py: imports stages/params" in complaint(root)


def test_a_program_that_reaches_another_room_is_told_the_way_there(tmp_path: Path) -> None:
    root = project(
        tmp_path,
        train="from stages.training import it\nfrom stages.vcs import it",
        vcs="def late():\n    from stages.sync import it",
        sync="",
        pipeline=TRAIN,
    )
    (root / "stages/vcs/it.py").write_text("def late():\n    import stages.sync.it")
    text = complaint(root)
    assert "stages/train.py: reaches the room sync (stages/train.py -> stages/vcs/it.py -> " in text


def test_dvc_yaml_must_name_the_rooms_of_the_table_and_no_others(tmp_path: Path) -> None:
    missing = project(tmp_path / "a", TRAIN.replace(", stages/training", ""))
    assert complaint(missing) == "dvc.yaml: stages.train.deps: add stages/training"
    extra = project(tmp_path / "b", TRAIN.replace("stages/training", "stages/training, stages/vcs"))
    assert complaint(extra).startswith("dvc.yaml: stages.train.deps: remove stages/vcs, or name it")
    program = project(tmp_path / "c", TRAIN.replace(" stages/train.py,", ""))
    assert complaint(program) == "dvc.yaml: stages.train.deps: add stages/train.py"


def test_a_room_or_a_program_that_nobody_knows_is_named(tmp_path: Path) -> None:
    assert complaint(project(tmp_path / "a", attic="")).startswith("stages/attic/__init__.py: no")
    other = TRAIN + "  other:\n    cmd: python -m stages.other\n"
    assert "stages.other.deps: stages/other.py is not in" in complaint(
        project(tmp_path / "b", other)
    )


@pytest.mark.parametrize(
    "own",
    [
        "cmd: ./plot.sh",
        "cmd: [./one.sh, 'python two.py']\n    deps: [data/x, {data/y: {cache: false}}]",
        "foreach: [1, 2]\n    do: {cmd: 'echo ${item}', outs: [x]}",
        "frozen: true\n    deps: null",
    ],
)
def test_a_persons_own_stages_are_left_alone(tmp_path: Path, own: str) -> None:
    architecture.check(project(tmp_path, f"{TRAIN}  own:\n    {own}\n"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("stages: 5", "dvc.yaml: the section `stages` is missing"),
        ("[]", "dvc.yaml: the section `stages` is missing"),
        ("stages: {own: 5}", "dvc.yaml: stages.own: expected a section"),
    ],
)
def test_a_dvc_yaml_that_is_none_is_one_sentence(
    tmp_path: Path, text: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project(tmp_path, text))
    with pytest.raises(UserError, match=sentence) as caught:
        dvc.pipeline()
    assert "\n" not in str(caught.value)
