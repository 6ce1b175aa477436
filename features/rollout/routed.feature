Feature: Status and cancellation in the routed dialect
  A trainer that starts thousands of rollouts requests their status and cancels them, and receives every result once.

  @ROLLOUT-219
  Scenario: A rollout that waits for a generation is running
    Given the policy answers "Done." when "later" is released
    When the trainer starts the rollout
    And generation request 1 arrives
    And the trainer requests the status of the rollout
    And "later" is released
    And the rollout ends
    Then the status of the rollout is queued or running

  @ROLLOUT-220
  Scenario: The status of a rollout that was never started is unknown
    When the trainer requests the status of the rollout with id "rc-unknown-0x"
    Then the status of the rollout is unknown

  @ROLLOUT-224
  Scenario: A cancelled rollout is reported, and not as a success
    Given the policy calls any tool when "never" is released
    When the trainer starts the rollout
    And generation request 1 arrives
    And the trainer cancels the rollout
    And the rollout ends
    Then the completed callbacks report cancelled or failure
    And the cancel response reports cancelled_running or cancelled_queued

  @ROLLOUT-221
  Scenario Outline: A cancel request that does not select rollouts is rejected
    When the trainer sends a cancel request with the body <body>
    Then the cancel request is rejected

    Examples:
      | body                                     |
      | {}                                       |
      | {"all": false}                           |
      | {"ids": ["a"], "all": true}      |

  @ROLLOUT-209
  Scenario: The start response has the id that the server chose
    Given the start request has no rollout_id
    And the policy answers "Done."
    When the trainer starts the rollout
    And the rollout ends
    Then the start response has a rollout_id
