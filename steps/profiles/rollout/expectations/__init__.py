"""What a case may demand beyond the invariants: one frozen value for each demand, judged on the whole view. A demand that is not met accuses
the first requirement of its case."""
