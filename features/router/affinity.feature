@integration @pre_merge @kv_router @variant:kv_router
Feature: A router that sends conversations where they are cached
  The cache is a preference. It must not keep a conversation at an engine that is gone.

  @ROUTER-026 @alone
  Scenario: A conversation leaves the engine that is taken out
    Given the engines say "Done."
    When POST /v1/admin/routing/backends/a/degrade is sent with this body:
      """
      {"reason": "maintenance"}
      """
    And the router is asked 6 times, one after the other
    And POST /v1/admin/routing/backends/a/healthy is sent
    And POST /v1/admin/routing/backends/b/degrade is sent with this body:
      """
      {"reason": "maintenance"}
      """
    And the router is asked 6 times, one after the other
    Then all are answered
    And the engines were asked 12 times, both of them

  @ROUTER-003 @alone
  Scenario: A conversation goes on elsewhere when its engine breaks off
    Given the engines say "Hello!", then say "Hello again!", then break off, then say "I am another one."
    When the router is asked "Hello!"
    And it is then asked "Are you there?"
    And it is then asked "And now?"
    Then all are answered
    And the third says "I am another one.", all of it and once
    And the engines were asked 4 times, both of them
