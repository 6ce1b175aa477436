Feature: What this file is about

  # The first requirement is reported as broken when the scenario fails.
  # Every sentence: rollout-conformance vocabulary --profile worker
  @{about=WORKER-045}
  Scenario: {title}
    When the client executes "Tell me a long story." with at most 600 tokens in the background
    And 5 tokens of the response have arrived
    And the client cancels it
    And all jobs have ended
    Then the first response ends as cancelled
