"""Builders and fakes that every test may use; tests/README.md says what is here."""
