"""Further seeds of two revisions, trained until a verdict is reached."""
