"""Shared by all rooms: errors as sentences, deferred signals, folders written atomically."""
