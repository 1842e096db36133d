"""Processes on one machine: control socket, sockets, spawning, signals, status."""
