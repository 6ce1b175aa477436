@unit @pre_merge
Feature: What is no request reaches no engine

  @ROUTER-012
  Scenario Outline: Refused: <body>
    Given the engines say "Done."
    When POST /v1/chat/completions is sent with this body:
      """
      <body>
      """
    And the router is asked "Hello!"
    Then the first fails with 400, 404 or 422
    And the second is answered
    And the engines were asked once

    Examples:
      | body                                                                                          |
      | "{session}"                                                                                   |
      | {"model": "rc-model", "messages": [], "user": "{session}"}                                    |
      | {"model": "rc-model", "messages": "{session}"}                                                |
      | {"model": "rc-model", "messages": ["{session}"]}                                              |
      | {"model": "", "messages": [{"role": "user", "content": "{session}"}]}                         |
      | {"model": 5, "messages": [{"role": "user", "content": "{session}"}]}                          |
      | {"model": "rc-model", "messages": [{"role": "user", "content": "{session}"}]} {}              |

  @ROUTER-012
  Scenario: A stream of an unknown model is refused before it begins
    Given the engines say "Done."
    When the router is asked "Hello!" as a stream with model "rc-no-such-model"
    And the router is asked "Hello!" as a stream
    Then the first fails with 400, 404 or 422
    And the second says "Done.", all of it and once
    And the engines were asked once
