@integration @pre_merge @callback
Feature: Exactly one result is delivered
  Whatever happens to the acknowledgement, the trainer receives one result and never two different ones.

  @ROLLOUT-138
  Scenario Outline: <status> acknowledges a completed callback
    Given the policy answers "Done."
    And the trainer returns <status> to a completed callback
    When the trainer starts the rollout
    And the trainer has received 1 completed callback
    Then the trainer receives 1 completed callback
    And the rollout completes with finish reason stop

    Examples:
      | status |
      | 203    |
      | 206    |

  @ROLLOUT-139 @ROLLOUT-137
  Scenario: A completed callback without an acknowledgement is sent again, unchanged
    Given the policy answers "Done."
    And the trainer returns 503 to a completed callback
    And the trainer resets the connection of a completed callback
    And the trainer returns 200 to a completed callback
    When the trainer starts the rollout
    And the rollout ends
    Then the trainer receives 3 completed callbacks

  @ROLLOUT-144 @alone @needs:restart
  Scenario: A rollout in progress is reported when the server is stopped
    Given the policy answers "Never." when "never" is released
    When the trainer starts the rollout
    And generation request 1 arrives
    And the server is stopped
    Then the trainer receives 1 completed callback
    And the rollout has a result
