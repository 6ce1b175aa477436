Feature: Status and cancellation in the routed dialect
  A trainer that starts rollouts by the thousand has to be able to ask about them and to end them, and must hear of every end once.

  @ROLLOUT-219
  Scenario: A rollout that waits for its generation is running
    Given the trainer says "Done." when "later" is released
    When the rollout is started
    And generation call 1 has arrived
    And its status is asked
    And "later" is released
    And it has ended
    Then its status is queued or running

  @ROLLOUT-220
  Scenario: Nobody knows a rollout that was never started
    When the status of "rc-nobody-0x" is asked
    Then its status is unknown

  @ROLLOUT-224
  Scenario: A cancelled rollout is reported, and not as a success
    Given the trainer calls any tool when "never" is released
    When the rollout is started
    And generation call 1 has arrived
    And it is cancelled
    And it has ended
    Then its end is reported as cancelled or failure
    And the cancellation says cancelled_running or cancelled_queued

  @ROLLOUT-221
  Scenario Outline: A cancellation has to say what it means
    When <body> is sent as a cancellation
    Then the cancellation is refused

    Examples:
      | body                                     |
      | {}                                       |
      | {"all": false}                           |
      | {"rollout_ids": ["a"], "all": true}      |

  @ROLLOUT-209
  Scenario: A server says which id it chose
    Given the start request has no rollout_id
    And the trainer says "Done."
    When the rollout is started
    And it has ended
    Then the reply says under which id it runs
