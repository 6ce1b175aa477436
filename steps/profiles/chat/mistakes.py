"""What can be seen to be wrong with a case about an inference server before it is played: it means responses that it does not have."""

from rollout_conformance.steps.http.references import unknown_references

mistakes = unknown_references
