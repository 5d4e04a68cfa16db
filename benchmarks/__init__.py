"""What is measured by hand, and on which page its figures stand.

python -m benchmarks.bench          this tree beside an earlier commit (`make bench`)
python -m benchmarks.scale          how time grows with the variants: docs/scale.md
python -m benchmarks.recipe         what equal bits cost: docs/reproducibility.md
python -m benchmarks.false_alarms   how often `compare` cries wolf: docs/compare.md
python -m benchmarks.screenshot     the pictures of MLflow: README.md, docs/mlflow.md
"""
