@integration @pre_merge
Feature: A trainer that fails
  A failure of the trainer must never look like something that the policy did.

  @ROLLOUT-083 @ROLLOUT-119
  Scenario Outline: <status> from the trainer fails the rollout without a retry
    Given the trainer always returns <status>
    When the trainer starts the rollout
    And the rollout ends
    Then the rollout fails
    And the trainer receives 1 generation request

    Examples:
      | status |
      | 402    |
      | 410    |
      | 451    |

  @ROLLOUT-087 @ROLLOUT-084
  Scenario: A rollout completes after two consecutive failures
    Given the policy calls any tool
    And the trainer returns 503 2 times
    And the policy answers "Done."
    When the trainer starts the rollout
    And the rollout ends
    Then the rollout completes with finish reason stop
    And the trainer receives 4 generation requests
    And the delays between retries do not shrink

  @ROLLOUT-089 @sync
  Scenario: The result reports the error of the trainer
    Given the trainer always returns 500
    When the trainer starts the rollout
    And the rollout ends
    Then the rollout fails with error category trainer_server_error and HTTP status 500

  @ROLLOUT-090
  Scenario: A connection that is always reset is not an internal error of the server
    Given the trainer resets every connection
    When the trainer starts the rollout
    And the rollout ends
    Then the rollout fails with another error category than internal_error

  @ROLLOUT-076
  Scenario: An HTML page is not a generation
    Given the trainer always returns an HTML page
    When the trainer starts the rollout
    And the rollout ends
    Then the rollout fails
