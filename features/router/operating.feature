@integration @pre_merge
Feature: A router is operated
  Engines go and come, keys are taken back, crowds arrive, and the router itself is stopped: what was promised holds all the while.

  @ROUTER-037 @exclusive @variant:small
  Scenario: A crowd of streams above the limit
    Given the engines say "Done." and hold it back
    When 10 clients ask at once for a stream
    And the engines answer what they hold
    Then 4 of it are served, and the others are sent away at once

  @ROUTER-038 @exclusive @variant:small
  Scenario: Places come back after engines that failed
    Given the engines answer 500
    When the router is asked 6 times, one after the other
    Given the engines say "Done." and hold it back
    When 4 clients ask at once, until all of them are with an engine
    Then the second has status 200

  @ROUTER-032 @kv_router @variant:kv_router
  Scenario: A long conversation stays where it is
    Given the engines say "Done."
    When 1 conversation of 6 turns is held
    Then it reaches one engine

  @ROUTER-050
  Scenario: A key that is taken back opens nothing more
    Given the engines say "Done."
    When a key for inference is made
    And the router is asked with that key
    And that key is taken back
    And the router is asked with that key
    Then the first has status 200
    And the second fails with 401

  @ROUTER-051
  Scenario: An operator's key generates nothing
    Given the engines say "Done."
    When a key for admin is made
    And the router is asked with that key
    Then it fails with 403
    And no other request reached an engine

  @ROUTER-064
  Scenario: A signature of another body is refused, and the right one is not
    Given the engines say "Done."
    When the router is asked with a wrong signature
    And the router is asked with the right signature
    Then the first fails with 401 or 403
    And the second has status 200

  @ROUTER-030
  Scenario: All models are listed
    When the client sends GET /v1/models
    Then it lists the models rc-model, rc-model-a and rc-model-b

  @ROUTER-047 @exclusive @variant:mortal
  Scenario: An engine that was down is used again
    Given the engines say "Done."
    When all engines are up
    And the router is asked until engine d answers
    And the engine d is down
    And the client sends "Hello!"
    And all engines are up
    And the router is asked until engine d answers
    Then all have status 200
    And engine d is asked

  @ROUTER-052 @needs:x_api_key
  Scenario: A key of a client reaches no engine
    A router may log in to its engines with a key of its own.
    Given the engines say "Done."
    When the client sends "Hello!" with the API key in X-API-Key
    Then it has status 200
    And the engines were asked once

  @ROUTER-063
  Scenario: The record of a stream has the tokens that the engine counted
    Given the engines say "One two three four."
    When the client sends "Hello!" with the header X-Request-Id "{session}"
    And the client sends GET /v1/audit/requests/{session}
    Then the second has status 200
    And the second says 7 as prompt_tokens
    And the second says 4 as completion_tokens
