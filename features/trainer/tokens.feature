@live
Feature: What a trainer does with tokens
  Nothing is trained on that the policy did not sample, and nothing that it sampled is lost.

  @TRAINER-180 @TRAINER-183
  Scenario: Each reply brings its ids and those of its prompt
    When the trainer enrolls the rollout
    And the next turn is asked for
    And the next turn is asked for
    Then the turns are answered 200 and 200

  @TRAINER-185
  Scenario Outline: A mask that does not fit is refused, and the right one is taken after it
    When the trainer enrolls the rollout
    And the next turn is asked for
    And the next turn is asked for with a <wrong> mask
    And the next turn is asked for
    Then the turns are answered 200, 422 and 200

    Examples:
      | wrong   |
      | missing |
      | null    |
      | short   |
      | long    |

  @TRAINER-188 @needs:record
  Scenario: Three turns, and a mask that is one exactly where they were sampled
    When the trainer enrolls the rollout
    And the next turn is asked for
    And the next turn is asked for
    And the next turn is asked for
    And the rollout comes to its end
    And its record is read after the end
    Then the record shows 3 turns
    And the record shows COMPLETED
