"""The simple repository API (PEP 503, 691): parsing, rendering, negotiation."""
