Feature: A rollout with the calculator
  A trainer asks for a rollout. The server asks the trainer for each generation, runs the tools that were called, and returns
  the conversation that the policy is trained on.

  @ROLLOUT-112 @ROLLOUT-093 @e2e @pre_merge @live
  Scenario: Five plus three
    Given the trainer calls add with {"a": 5, "b": 3}
    And the trainer says "The result is 8."
    When the rollout is started
    And it has ended
    Then it is completed because of "stop"
    And the tool result is 8
    And there were 2 generation calls
