@integration @pre_merge @callback
Feature: The same start twice
  A trainer that did not hear the answer asks again. The rollout runs once.

  @ROLLOUT-149 @ROLLOUT-150
  Scenario: Three equal starts at once are one rollout
    Given the trainer calls any tool
    And the trainer says "Done."
    When the same start is sent 3 times at once
    And it has ended
    Then there were 2 generation calls
    And its end was reported 1 time

  @ROLLOUT-156
  Scenario: Another rollout under the same id is refused
    Given the trainer says "Done."
    When the rollout is started
    And it has ended
    And the same start is sent again with max_turns 4
    Then the repeated start is answered 409 or 422
