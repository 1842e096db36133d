"""The state of the hosts that are asked: the circuit breaker and the measured rates."""
