"""rollout-conformance: judges the HTTP seams of agentic RL. The folders of the checkout, under the one name that is installed."""
