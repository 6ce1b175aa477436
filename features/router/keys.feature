@integration @pre_merge
Feature: Who may do what

  @ROUTER-011 @ROUTER-010
  Scenario Outline: A stranger gets nowhere: <method> <path>
    Given the engines say "Done."
    When the client sends <method> <path> without an API key
    And the client sends <method> <path> with a wrong API key
    And the client sends <method> <path> without an API key with the header authorization "Basic cmM6cmM="
    Then all fail with 401, 403 or 404
    And no engine was asked

    Examples:
      | method | path                          |
      | GET    | /v1/models                    |
      | GET    | /v1/audit/requests/rc-request |
      | GET    | /v1/admin/routing/backends    |
      | POST   | /v1/chat/completions          |

  @ROUTER-011
  Scenario: A stream without a key does not begin
    Given the engines say "Done."
    When the client sends "Hello!" as a stream without an API key
    And the client sends the same request with the API key and one more letter
    And the client sends the same request with the API key "right"
    Then the first and the second fail with 401 or 403
    And the third says "Done.", all of it and once
    And the engines were asked once

  @ROUTER-025 @planner @needs:other
  Scenario: Advice on scaling is for operators
    Given the engines say "Done."
    When the client sends GET /v1/admin/planner with the API key "other"
    And the client sends GET /v1/admin/planner without an API key
    And the client sends GET /v1/admin/planner
    Then the first and the second fail with 401, 403 or 404
    And the third has status 200 or 404

  @ROUTER-025 @alone @needs:other
  Scenario: A stranger who takes an engine out takes nothing out
    Given the engines say "Done."
    When the client sends POST /v1/admin/routing/backends/a/degrade with the API key "other" with this body:
      """
      {"reason": "envy"}
      """
    And the router is asked 40 times, one after the other
    Then the first fails with 403 or 404
    And the second has status 200
    And both engines got their share

  @ROUTER-019 @alone @stress
  Scenario: Streams are requests, and their rate is held as well
    Given the engines say "Done."
    When the client sends "Hello!" as a stream 8 times concurrently with the API key "limited"
    And the client sends "Hello!" as a stream 8 times concurrently
    Then some of the first are answered 429, and the others 200
    And the second has status 200
    And the engines were asked 9 to 12 times

  @ROUTER-027 @needs:other
  Scenario Outline: There is a record when the engines <do>, for its own organisation
    Given the engines <do>
    When the client sends "Hello!" as a stream with the header X-Request-Id "{session}"
    And the client sends GET /v1/audit/requests/{session}
    And the client sends GET /v1/audit/requests/{session} with the API key "other"
    And the client sends GET /v1/audit/requests/{session} without an API key
    Then the second has status 200
    And the third fails with 403 or 404
    And the fourth fails with 401 or 403

    Examples:
      | do                                                        |
      | say "Done."                                               |
      | answer 500                                                |
      | say something, a word every 0.01 s and die after 4 pieces |
