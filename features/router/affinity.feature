@integration @pre_merge @kv_router @variant:kv_router
Feature: A router that sends conversations where they are cached
  The cache is a preference. It must not keep a conversation at an engine that is gone.

  @ROUTER-026 @alone
  Scenario: A conversation leaves the engine that is taken out
    Given the engines say "Done."
    When the client sends POST /v1/admin/routing/backends/a/degrade with this body:
      """
      {"reason": "maintenance"}
      """
    And the router is asked 6 times, one after the other
    And the client sends POST /v1/admin/routing/backends/a/healthy
    And the client sends POST /v1/admin/routing/backends/b/degrade with this body:
      """
      {"reason": "maintenance"}
      """
    And the router is asked 6 times, one after the other
    Then all have status 200
    And the engines were asked 12 times, both of them

  @ROUTER-003 @alone
  Scenario: A conversation goes on elsewhere when its engine breaks off
    Given the engines say "Hello!", then say "Hello again!", then break off, then say "I am another one."
    When the client sends "Hello!"
    And the client continues with "Are you there?"
    And the client continues with "And now?"
    Then all have status 200
    And the third says "I am another one.", all of it and once
    And the engines were asked 4 times, both of them
