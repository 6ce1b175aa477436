@integration @pre_merge @kv_router @variant:kv_router
Feature: A router that sends a conversation to the backend that has it cached
  The cache is a preference. It must not keep a conversation at a backend that is not available.

  @ROUTER-026 @alone
  Scenario: A conversation moves to another backend when its backend is degraded
    Given the backends return "Done."
    When the client sends POST /v1/admin/routing/backends/a/degrade with this body:
      """
      {"reason": "maintenance"}
      """
    And the client sends "Hello!" 6 times in sequence
    And the client sends POST /v1/admin/routing/backends/a/healthy
    And the client sends POST /v1/admin/routing/backends/b/degrade with this body:
      """
      {"reason": "maintenance"}
      """
    And the client sends "Hello!" 6 times in sequence
    Then all have status 200
    And both backends receive requests, 12 in all

  @ROUTER-003 @alone
  Scenario: A conversation continues after a connection reset
    Given the backends return "Hello!", then return "Hello again!", then reset the connection, then return "I am another one."
    When the client sends "Hello!"
    And the client continues with "Are you there?"
    And the client continues with "And now?"
    Then all have status 200
    And the text of the third response is exactly "I am another one."
    And the backends receive 4 requests
