@integration @pre_merge
Feature: API keys
  The key of the trainer is sent with every request to the trainer; the key of the server is required from its clients.

  @ROLLOUT-167
  Scenario: Without a key no Authorization header is sent
    Given the start request has no key
    And the policy calls any tool
    And the policy answers "Done."
    When the trainer starts the rollout
    And the rollout ends
    Then the rollout completes with finish reason stop

  @ROLLOUT-169 @callback @needs:server_key
  Scenario: A start request without an Authorization header is rejected
    When the trainer starts the rollout without an Authorization header
    Then the start request is rejected with 401
    And the trainer receives 0 generation requests

  @ROLLOUT-169 @callback @needs:server_key
  Scenario: A start request with a wrong key is rejected
    When the trainer starts the rollout with the Authorization header "Bearer sesame"
    Then the start request is rejected with 401
    And the trainer receives 0 generation requests

  @ROLLOUT-002 @callback
  Scenario: The health check needs no key
    When a client sends GET /health without a key
    Then it has status 200
