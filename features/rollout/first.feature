Feature: A rollout with the calculator
  A trainer starts a rollout. The server requests each generation from the trainer, runs the tools that the policy calls, and returns
  the conversation that the policy is trained on.

  @ROLLOUT-112 @ROLLOUT-093 @needs:calculator @e2e @pre_merge @live
  Scenario: Five plus three
    Given the policy calls add with {"a": 5, "b": 3}
    And the policy answers "The result is 8."
    When the trainer starts the rollout
    And the rollout ends
    Then the rollout completes with finish reason stop
    And the tool result is 8
    And the trainer receives 2 generation requests
