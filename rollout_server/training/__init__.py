"""The reference training server: a small softmax model that is trained exactly, behind two training APIs."""
