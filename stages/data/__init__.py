"""The data: its sources, its formats, its splits."""
