"""The commands of the command line: a module each, with one `command`. steps/cli.py lists them."""
