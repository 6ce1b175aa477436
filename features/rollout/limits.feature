@integration @pre_merge
Feature: Limits
  A rollout ends when its turns are used up, and says why.

  @ROLLOUT-113 @ROLLOUT-065
  Scenario Outline: <turns> turns and no more
    Given the start request has max_turns <turns>
    And the trainer calls any tool in 6 turns
    When the rollout is started
    And it has ended
    Then it is completed because of "max_turns"
    And there were <turns> generation calls

    Examples:
      | turns |
      | 3     |
      | 4     |
      | 5     |

  @ROLLOUT-112
  Scenario: An answer in the last turn is a natural end
    Given the start request has max_turns 3
    And the trainer calls any tool in 2 turns
    And the trainer says "Done."
    When the rollout is started
    And it has ended
    Then it is completed because of "stop"
    And there were 3 generation calls

  @ROLLOUT-032
  Scenario Outline: Turns out of bounds are refused: <turns>
    Given the start request has max_turns <turns>
    When the rollout is started
    Then the start is refused with 422
    And there were 0 generation calls

    Examples:
      | turns |
      | -1    |
      | 1000  |
