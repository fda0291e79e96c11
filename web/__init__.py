"""SPEAK: HTTP, page, JSON, events."""
