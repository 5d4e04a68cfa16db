"""Error messages of `stages.training`, kept here so that editing one makes no training stale."""

LIBRARY = (
    "libraries.{}: the pipeline records {}, installed is {}; install requirements.lock "
    "(`make install`), or record the new version in params.yaml and retrain"
)
EDITED = (
    "{}: edited while {} was training, so the result belongs to neither version; "
    "run `dvc repro {}` again"
)
NO_SOURCE = "{}: missing; run `dvc repro {}`, which makes it first"
DAMAGED = "{}: damaged ({}); run `dvc repro --force {}`"
