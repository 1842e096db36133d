"""What one process tells and is told: control socket, signals, status."""
