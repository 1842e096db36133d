"""Distributions that installers have unpacked on this machine: finding them, reading them, and making a wheel of one."""
