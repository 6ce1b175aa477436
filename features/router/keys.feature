@integration @pre_merge
Feature: Who may do what

  @ROUTER-011 @ROUTER-010
  Scenario Outline: A stranger gets nowhere: <method> <path>
    Given the engines say "Done."
    When <method> <path> is sent without a key
    And <method> <path> is sent with a wrong key
    And <method> <path> is sent without a key with the header authorization "Basic cmM6cmM="
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
    When the router is asked "Hello!" as a stream without a key
    And it is asked the same with a key that is longer by one
    And it is asked the same with the key "right"
    Then the first and the second fail with 401 or 403
    And the third says "Done.", all of it and once
    And the engines were asked once

  @ROUTER-025 @planner @needs:other
  Scenario: Advice on scaling is for operators
    Given the engines say "Done."
    When GET /v1/admin/planner is sent with the key "other"
    And GET /v1/admin/planner is sent without a key
    And GET /v1/admin/planner is sent
    Then the first and the second fail with 401, 403 or 404
    And the third is answered 200 or 404

  @ROUTER-025 @alone @needs:other
  Scenario: A stranger who takes an engine out takes nothing out
    Given the engines say "Done."
    When POST /v1/admin/routing/backends/a/degrade is sent with the key "other" with this body:
      """
      {"reason": "envy"}
      """
    And the router is asked 40 times, one after the other
    Then the first fails with 403 or 404
    And the second is answered
    And both engines got their share

  @ROUTER-019 @alone @stress
  Scenario: Streams are requests, and their rate is held as well
    Given the engines say "Done."
    When the router is asked "Hello!" as a stream 8 times at once with the key "limited"
    And the router is asked "Hello!" as a stream 8 times at once
    Then some of the first are answered 429, and the others 200
    And the second is answered
    And the engines were asked 9 to 12 times

  @ROUTER-027 @needs:other
  Scenario Outline: There is a record when the engines <do>, for its own organisation
    Given the engines <do>
    When the router is asked "Hello!" as a stream with the header X-Request-Id "{session}"
    And GET /v1/audit/requests/{session} is sent
    And GET /v1/audit/requests/{session} is sent with the key "other"
    And GET /v1/audit/requests/{session} is sent without a key
    Then the second is answered
    And the third fails with 403 or 404
    And the fourth fails with 401 or 403

    Examples:
      | do                                                        |
      | say "Done."                                               |
      | answer 500                                                |
      | say something, a word every 0.01 s and die after 4 pieces |
