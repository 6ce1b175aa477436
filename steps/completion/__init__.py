"""Shell completion of commands, options and values. It imports no command: each press of TAB starts a process of its own."""
