"""What may be demanded of jobs."""
