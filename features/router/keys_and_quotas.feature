@integration @pre_merge
Feature: API keys, their scopes and their quotas

  @ROUTER-011 @ROUTER-010
  Scenario Outline: <method> <path> rejects requests without a valid API key
    Given the backends return "Done."
    When the client sends <method> <path> without an API key
    And the client sends <method> <path> with a wrong API key
    And the client sends <method> <path> without an API key with the header authorization "Basic cmM6cmM="
    Then all have status 401, 403 or 404
    And the backends receive no request

    Examples:
      | method | path                          |
      | GET    | /v1/models                    |
      | GET    | /v1/audit/requests/rc-request |
      | GET    | /v1/admin/routing/backends    |

  @ROUTER-011
  Scenario: A stream request without a valid API key is rejected
    Given the backends return "Done."
    When the client sends "Hello!" as a stream without an API key
    And the client sends the same request with the API key and one more letter
    And the client sends the same request with the API key "right"
    Then the first and the second have status 401 or 403
    And the text of the third response is exactly "Done."
    And the backends receive 1 request

  @ROUTER-025 @planner @needs:other
  Scenario: The planner requires the admin scope
    Given the backends return "Done."
    When the client sends GET /v1/admin/planner with the API key "other"
    And the client sends GET /v1/admin/planner without an API key
    And the client sends GET /v1/admin/planner
    Then the first and the second have status 401, 403 or 404
    And the third has status 200 or 404

  @ROUTER-025 @alone @needs:other
  Scenario: A backend cannot be degraded without the admin scope
    Given the backends return "Done."
    When the client sends POST /v1/admin/routing/backends/a/degrade with the API key "other" with this body:
      """
      {"reason": "maintenance"}
      """
    And the client sends "Hello!" 40 times in sequence
    Then the first has status 403 or 404
    And the second has status 200
    And the requests are shared evenly between both backends

  @ROUTER-019 @alone @stress
  Scenario: Streams count against the rate limit
    Given the backends return "Done."
    When the client sends "Hello!" as a stream 8 times concurrently with the API key "limited"
    And the client sends "Hello!" as a stream 8 times concurrently
    Then at most 4 of the first responses succeed, plus 1 for each second, and the others have status 429 with Retry-After in seconds
    And the second has status 200
    And the backends receive 9 to 12 requests, plus 1 for each second

  @ROUTER-027 @needs:other
  Scenario Outline: There is an audit record for its own organisation when the backends <do>
    Given the backends <do>
    When the client sends "Hello!" as a stream with the header X-Request-Id "{session}"
    And the client sends GET /v1/audit/requests/{session}
    And the client sends GET /v1/audit/requests/{session} with the API key "other"
    And the client sends GET /v1/audit/requests/{session} without an API key
    Then the second has status 200
    And the third has status 403 or 404
    And the fourth has status 401 or 403

    Examples:
      | do                                                                                    |
      | return "Done."                                                                        |
      | return 500                                                                            |
      | return a completion, a chunk every 0.01 s and reset the connection after 4 chunks     |
