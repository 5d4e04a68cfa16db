"""All code that can change a bit of a model, and no other: every training depends on this folder.

Modules here import only each other, `stages.core` and `stages.data`.
"""

from stages.training.code import digests

LOADED = (
    digests()
)  # read before the imports, which take seconds: an edit meanwhile would go unnoticed
