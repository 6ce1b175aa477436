"""The words that a case may be tagged with, besides dialects and requirements; under pytest they are markers."""

MARKERS = {
    "unit": "one component",
    "integration": "several components",
    "e2e": "whole systems over sockets",
    "pre_merge": "on every push",
    "nightly": "every night: long or random",
    "weekly": "every week: very long",
    "stress": "many at once",
    "benchmark": "measures",
    "exclusive": "no other case is played at the same time",
    "late": "played after the others: it may spoil the target for them",
    "last": "played after all others, and alone: it may leave the target unable to answer",
    "slow": "takes longer than a second",
    "vllm": "can be played with a real model: `--backend live -m vllm`",
    "requires_servers": "needs servers that somebody else started",
    "kv_router": "KV-affinity routing",
    "planner": "scaling advice",
}
