@e2e @stress
Feature: Concurrent rollouts are isolated
  No rollout contains anything of another one.

  @ROLLOUT-159 @ROLLOUT-176
  Scenario: Twenty concurrent rollouts of three turns
    Given the policy calls any tool in 2 turns
    And the policy answers "Done."
    When the trainer starts 20 rollouts concurrently
    And all rollouts end
    Then the rollout completes with finish reason stop
    And all rollouts have the same outcome

  @ROLLOUT-159
  Scenario: Two rollouts that are answered at the same time
    Given for rollout "left", the policy calls any tool when "both" is released
    And for rollout "left", the policy answers "I am left."
    And for rollout "right", the policy calls any tool when "both" is released
    And for rollout "right", the policy answers "I am right."
    When for rollout "left", the trainer starts the rollout
    And for rollout "right", the trainer starts the rollout
    And for rollout "left", generation request 1 arrives
    And for rollout "right", generation request 1 arrives
    And "both" is released
    And all rollouts end
    Then for rollout "left", the final messages contain a message with content "I am left."
    And for rollout "right", the final messages contain a message with content "I am right."
