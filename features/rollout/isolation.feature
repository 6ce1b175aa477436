@e2e @stress
Feature: Many rollouts at once
  Nothing of one rollout is ever seen in another.

  @ROLLOUT-159 @ROLLOUT-176
  Scenario: Twenty conversations of three turns
    Given the trainer calls any tool in 2 turns
    And the trainer says "Done."
    When 20 rollouts are started at once
    And they have all ended
    Then it is completed because of "stop"
    And all of them end alike

  @ROLLOUT-159
  Scenario: Two rollouts that wait for each other
    Given for rollout "left", the trainer calls any tool when "both" is released
    And for rollout "left", the trainer says "I am left."
    And for rollout "right", the trainer calls any tool when "both" is released
    And for rollout "right", the trainer says "I am right."
    When for rollout "left", the rollout is started
    And for rollout "right", the rollout is started
    And for rollout "left", generation call 1 has arrived
    And for rollout "right", generation call 1 has arrived
    And "both" is released
    And they have all ended
    Then for rollout "left", the final messages contain one with content "I am left."
    And for rollout "right", the final messages contain one with content "I am right."
