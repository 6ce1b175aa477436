"""What the suite does to a rollout server: one frozen value for each verb. They drive; none of them judges."""
