"""Vocabulary: frozen values, no IO, no clock, no logging."""
