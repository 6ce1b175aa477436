@unit @pre_merge
Feature: What is no request reaches no engine

  @ROUTER-012
  Scenario Outline: Refused: <body>
    Given the engines say "Done."
    When the client sends POST /v1/chat/completions with this body:
      """
      <body>
      """
    And the client sends "Hello!"
    Then the first fails with 400, 404 or 422
    And the second has status 200
    And the engines were asked once

    Examples:
      | body                                                                                          |
      | "{session}"                                                                                   |
      | {"model": "rc-model", "messages": [], "user": "{session}"}                                    |
      | {"model": "rc-model", "messages": "{session}"}                                                |
      | {"model": "", "messages": [{"role": "user", "content": "{session}"}]}                         |
      | {"model": 5, "messages": [{"role": "user", "content": "{session}"}]}                          |
      | {"model": "rc-model", "messages": [{"role": "user", "content": "{session}"}]} {}              |

  @ROUTER-012
  Scenario: A stream of an unknown model is refused before it begins
    A router need not know the models: the engines do.
    Given the engines answer 404
    When the client sends "Hello!" as a stream with model "rc-no-such-model"
    Then it fails with 400, 404 or 422
