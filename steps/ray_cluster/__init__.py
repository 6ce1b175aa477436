"""Cases played on the machines of a Ray cluster: the parts of a run side by side, one report, the verdicts of a local run."""
