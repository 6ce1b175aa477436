@integration @pre_merge
Feature: The limit of turns
  A rollout ends when its turns are used up, and reports that as the reason.

  @ROLLOUT-113 @ROLLOUT-065
  Scenario Outline: A rollout ends after <turns> turns
    Given the start request has max_turns <turns>
    And the policy calls any tool in 6 turns
    When the trainer starts the rollout
    And the rollout ends
    Then the rollout completes with finish reason max_turns
    And the trainer receives <turns> generation requests

    Examples:
      | turns |
      | 3     |
      | 4     |
      | 5     |

  @ROLLOUT-112
  Scenario: An answer in the last turn ends the rollout with stop
    Given the start request has max_turns 3
    And the policy calls any tool in 2 turns
    And the policy answers "Done."
    When the trainer starts the rollout
    And the rollout ends
    Then the rollout completes with finish reason stop
    And the trainer receives 3 generation requests

  @ROLLOUT-032
  Scenario Outline: A start request with max_turns <turns> is rejected
    Given the start request has max_turns <turns>
    When the trainer starts the rollout
    Then the start request is rejected with 422
    And the trainer receives 0 generation requests

    Examples:
      | turns |
      | -1    |
      | 1000  |
