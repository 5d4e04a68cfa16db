"""All code that can change a bit of a model, but for the program `stages/train.py`: every training
depends on both.

Modules here import only each other, `stages.core` and `stages.data`.
"""

from stages.training.code import digests

# Before the imports, which take seconds: an edit meanwhile would go unnoticed
LOADED = digests()
