"""Labelled questions, and how well they were answered."""
