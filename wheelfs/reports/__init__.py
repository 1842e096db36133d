"""What commands, the control socket and the status file report: msgspec structs whose fields are never renamed."""
