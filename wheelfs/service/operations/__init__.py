"""What commands do, one module for each command or part of one."""
