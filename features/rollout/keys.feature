@integration @pre_merge
Feature: Keys
  The trainer's key goes to the trainer with every call; the server's own key is asked of its callers.

  @ROLLOUT-167
  Scenario: No key, no header
    Given the start request has no key
    And the trainer calls any tool
    And the trainer says "Done."
    When the rollout is started
    And it has ended
    Then it is completed because of "stop"

  @ROLLOUT-169 @callback @needs:server_key
  Scenario: A stranger starts nothing
    When the start is sent without credentials
    Then the start is refused with 401
    And there were 0 generation calls

  @ROLLOUT-169 @callback @needs:server_key
  Scenario: A guess starts nothing
    When the start is sent with the credentials "Bearer sesame"
    Then the start is refused with 401
    And there were 0 generation calls

  @ROLLOUT-002 @callback
  Scenario: Health is open to everybody
    When GET /health is asked without a key
    Then the answer is 200
