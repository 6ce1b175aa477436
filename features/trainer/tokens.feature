@live
Feature: The tokens of a rollout
  The policy is trained on every token that it sampled, and on no other.

  @TRAINER-180 @TRAINER-183
  Scenario: Each generation has its token ids and its prompt token ids
    When the trainer starts the rollout
    And the rollout server requests the next generation
    And the rollout server requests the next generation
    Then the generation requests return 200 and 200

  @TRAINER-185
  Scenario Outline: A wrong response mask is rejected, and the correct one is accepted after it
    When the trainer starts the rollout
    And the rollout server requests the next generation
    And the rollout server requests the next generation with a <response mask> response mask
    And the rollout server requests the next generation
    Then the generation requests return 200, 422 and 200

    Examples:
      | response mask |
      | missing       |
      | null          |
      | short         |
      | long          |

  @TRAINER-188 @needs:record
  Scenario: A record of three turns with the response mask 1 for each sampled token
    When the trainer starts the rollout
    And the rollout server requests the next generation
    And the rollout server requests the next generation
    And the rollout server requests the next generation
    And the rollout server reports the end of the rollout
    And the trainer's record of the rollout is read after its end
    Then the record shows 3 turns
    And the record shows the status COMPLETED
