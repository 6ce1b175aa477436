"""The profile `training`: a training API is judged by arithmetic on the numbers that it returns."""
