"""Logic without IO: decisions as plain functions and state machines."""
