"""What holds of every job of every case."""
