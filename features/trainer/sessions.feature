@live
Feature: The record of a rollout
  Rollout servers retry, lose responses and send requests late. What the trainer records must be what the policy was given and what it sampled.

  @TRAINER-187
  Scenario Outline: A wrong history is rejected, and the correct one is accepted after it
    When the trainer starts the rollout
    And the rollout server requests the next generation
    And the rollout server requests the next generation
    And the rollout server requests the next generation with a wrong history: <history>
    And the rollout server requests the next generation
    Then the generation requests return 200, 200, 4xx and 200

    Examples:
      | history             |
      | prompt_changed      |
      | truncated           |
      | rolled_back         |
      | generations_removed |
      | prompt_reordered    |

  @TRAINER-190 @needs:record
  Scenario: Three equal generation requests at once are one turn
    When the trainer starts the rollout
    And the rollout server requests the next generation 3 times at once
    And the rollout server repeats its last generation request
    And the trainer's record of the rollout is read
    Then equal generation requests return the same generation
    And the record shows 1 turn

  @TRAINER-194 @needs:key
  Scenario: The key of another rollout is rejected
    When for rollout "a", the trainer starts the rollout
    And for rollout "b", the trainer starts the rollout
    And for rollout "a", the rollout server requests the next generation with the key of "b"
    And for rollout "a", the rollout server requests the next generation
    Then for rollout "a", the generation requests return 401 and 200

  @TRAINER-195
  Scenario: A generation request after the end of the rollout is rejected
    When the trainer starts the rollout
    And the rollout server requests the next generation
    And the rollout server reports the end of the rollout
    And the trainer's record of the rollout is read after its end
    And the rollout server requests the next generation
    Then the generation requests return 200 and 4xx

  @TRAINER-191
  Scenario: A repeated completed callback is accepted with the same response
    When the trainer starts the rollout
    And the rollout server reports the end of the rollout
    And the rollout server repeats its last report
    And the rollout server repeats its last report
    Then the completed callbacks return 200, 200 and 200, with equal bodies

  @TRAINER-197 @needs:record
  Scenario: Two rollouts at one rollout server have the tools that were returned for each
    When for rollout "a", the trainer starts the rollout at a rollout server with the tools add and subtract
    And for rollout "b", the trainer starts the rollout at the rollout server of "a"
    And for rollout "a", the rollout server requests the next generation
    And for rollout "b", the rollout server requests the next generation
    And for rollout "a", the trainer's record of the rollout is read
    And for rollout "b", the trainer's record of the rollout is read
    Then each prompt holds the tools of its rollout server

  @TRAINER-199
  Scenario: A start request is retried after a 429 with Retry-After
    When the trainer starts the rollout at a rollout server that first responds with 429 and Retry-After 1
    And the rollout server requests the next generation
    Then the rollout server receives 2 start requests

  @TRAINER-198 @needs:record
  Scenario: A rollout without a result ends after its timeout
    When the trainer starts the rollout with a timeout of 1 s
    And the trainer's record of the rollout is read after its end
    Then the record shows the status TIMEOUT or ERROR
