@integration @pre_merge @callback
Feature: Duplicate start requests
  A trainer that received no response sends the start request again. The rollout runs once.

  @ROLLOUT-149 @ROLLOUT-150
  Scenario: Three equal concurrent start requests start one rollout
    Given the policy calls any tool
    And the policy answers "Done."
    When the trainer sends the same start request 3 times concurrently
    And the rollout ends
    Then the trainer receives 2 generation requests
    And the trainer receives 1 completed callback

  @ROLLOUT-156
  Scenario: A different start request with the same id is rejected
    Given the policy answers "Done."
    When the trainer starts the rollout
    And the rollout ends
    And the trainer resends the start request with max_turns 4
    Then the resent start request is rejected with 409 or 422
