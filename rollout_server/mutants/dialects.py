"""The dialects in which a mutant of the rollout server or of the trainer has its defect."""

BOTH = ("sync", "callback")
SYNC = ("sync",)
CALLBACK = ("callback",)
ROUTED = ("routed",)
LEASED = ("leased",)
