"""What a run writes for CI: each module makes one format of `RunFacts`. Nothing here judges, and nothing does I/O but `files`."""
