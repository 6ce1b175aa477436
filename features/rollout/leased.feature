Feature: Results that are fetched with a lease
  A trainer that cannot be called back fetches each result itself, and only whoever has the lease of a rollout receives it.

  @ROLLOUT-277
  Scenario: A result that was lost on the way is requested again
    Given the policy answers "Done."
    When the trainer starts the rollout
    And the rollout ends
    And the trainer requests the result of the rollout
    Then the result response is equal to the first result
    And the result response reports success

  @ROLLOUT-273
  Scenario: A wrong lease shows nothing
    Given the policy answers "Done."
    When the trainer starts the rollout
    And the rollout ends
    And the trainer requests the result of the rollout with a wrong lease
    Then the result request is rejected with 403, 401 or 404

  @ROLLOUT-281
  Scenario: The result of a cancelled rollout is no success
    Given the policy calls any tool when "never" is released
    When the trainer starts the rollout
    And generation request 1 arrives
    And the trainer cancels the rollout
    And the rollout ends
    And the trainer requests the result of the rollout
    Then the result response reports cancelled or failure

  @ROLLOUT-282 @needs:lease_timeout @variant:short_lease
  Scenario: A rollout whose result is not requested does not go on
    Given the policy calls any tool when "later" is released
    And the policy answers "Done."
    When the trainer does not request the result
    And the trainer starts the rollout
    And generation request 1 arrives
    And nothing happens for 4 s
    And "later" is released
    And nothing happens for 0.5 s
    And the trainer requests the result of the rollout
    Then the result response reports failure or cancelled
