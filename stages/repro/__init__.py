"""`branchmark repro`: what `dvc repro` would run, independent stages side by side."""
