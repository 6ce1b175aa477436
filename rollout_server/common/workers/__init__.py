"""Several processes behind one port: their start and end, what they share, and how a request reaches the right one."""
