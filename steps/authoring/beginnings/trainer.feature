Feature: What this file is about

  # The first requirement is reported as broken when the scenario fails.
  # Every sentence: rollout-conformance vocabulary --profile trainer
  @{about=TRAINER-194}
  Scenario: {title}
    When the trainer starts the rollout
    And the rollout server requests the next generation
    And the rollout server requests the next generation with a wrong history: truncated
    And the rollout server requests the next generation
    Then the generation requests return 200, 4xx and 200
