"""The gallery: real servers that others wrote, how each is installed and started, and what the suite is known to find on it."""
