@integration @pre_merge
Feature: Operation of a router
  Backends go down and come back, API keys are revoked, and many clients send requests at the same time.

  @ROUTER-037 @exclusive @variant:small
  Scenario: Streams above the concurrency limit
    Given the backends return "Done." and hold the response
    When the client sends "Hello!" as a stream 10 times in the background
    And each request has reached a backend or has a response
    And the backends send the responses that they hold
    Then at most 4 requests succeed, and the others are rejected at once with 429 or 503

  @ROUTER-038 @exclusive @variant:small
  Scenario: Slots of the concurrency limit are released after failures of the backends
    Given the backends return 500
    When the client sends "Hello!" 6 times in sequence
    Given the backends return "Done." and hold the response
    When 4 requests are sent at the same time, repeatedly until each of them reaches a backend
    Then the second has status 200

  @ROUTER-032 @kv_router @variant:kv_router
  Scenario: A long conversation stays at one backend
    Given the backends return "Done."
    When the client has 1 conversation of 6 turns
    Then one backend receives all requests of the conversation

  @ROUTER-050
  Scenario: A revoked key is rejected
    Given the backends return "Done."
    When an API key with the scope inference is created
    And the client sends a chat request with the key
    And the key is revoked
    And the client sends a chat request with the key
    Then the second has status 200
    And the fourth has status 401

  @ROUTER-051
  Scenario: A key with the admin scope only is rejected
    Given the backends return "Done."
    When an API key with the scope admin is created
    And the client sends a chat request with the key
    Then it has status 403
    And the backends receive no request

  @ROUTER-064
  Scenario: An HMAC signature of another body is rejected
    Given the backends return "Done."
    When the client sends a chat request with an invalid signature
    And the client sends a chat request with a valid signature
    Then the first has status 401 or 403
    And the second has status 200

  @ROUTER-030
  Scenario: All models are listed
    When the client sends GET /v1/models
    Then it lists the models rc-model, rc-model-a and rc-model-b

  @ROUTER-047 @exclusive @variant:mortal
  Scenario: A backend that was down is used again
    Given the backends return "Done."
    When all backends are up
    And requests are sent until backend c receives one
    And backend c is down
    And the client has 24 conversations
    And all backends are up
    And requests are sent until backend c receives one
    Then all have status 200
    And backend c receives 2 or more requests

  @ROUTER-052 @needs:x_api_key
  Scenario: An API key of a client does not reach a backend
    A router may use an API key of its own at the backends.
    Given the backends return "Done."
    When the client sends "Hello!" with the API key in X-API-Key
    Then it has status 200
    And the backends receive 1 request

  @ROUTER-063
  Scenario: The audit record has the token counts of the backend
    Given the backends return "One two three four."
    When the client sends "Hello!" with the header X-Request-Id "{session}"
    And the client sends GET /v1/audit/requests/{session}
    Then the second has status 200
    And the JSON member "..prompt_tokens" of the second response is 7
    And the JSON member "..completion_tokens" of the second response is 4
