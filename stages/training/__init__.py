"""All that can change a bit of a model, and nothing else: every training depends on this folder.

Modules here import each other, `stages.core` and `stages.data`, and no other room.
"""

from stages.training.code import digests

LOADED = digests()  # of these modules, read before Python loads them: their imports take seconds
