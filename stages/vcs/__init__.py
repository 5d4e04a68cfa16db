"""git and DVC, each read and called in one place."""
