"""Decisions about fetching: ranges, deltas, freshness, the circuit breaker's rules."""
