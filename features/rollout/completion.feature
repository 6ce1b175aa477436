@integration @pre_merge @callback
Feature: The end is reported once
  Whatever becomes of the acknowledgement, the trainer hears of one result and never of two different ones.

  @ROLLOUT-138
  Scenario Outline: <status> is an acknowledgement like any other
    Given the trainer says "Done."
    And the trainer acknowledges the completion with <status>
    When the rollout is started
    And it has reported its end 1 time
    Then its end was reported 1 time
    And it is completed because of "stop"

    Examples:
      | status |
      | 203    |
      | 206    |

  @ROLLOUT-139 @ROLLOUT-137
  Scenario: An end that was not heard is reported again, the same
    Given the trainer says "Done."
    And the trainer acknowledges the completion with 503
    And the trainer breaks the connection of the completion
    And the trainer acknowledges the completion with 200
    When the rollout is started
    And it has ended
    Then its end was reported 3 times

  @ROLLOUT-144 @alone @needs:restart
  Scenario: Stopping the server does not lose a rollout
    Given the trainer says "Never." when "never" is released
    When the rollout is started
    And generation call 1 has arrived
    And the server is stopped
    Then its end was reported 1 time
    And it has a final result
