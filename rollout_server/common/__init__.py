"""What at least two of the reference servers share; it knows none of them."""
