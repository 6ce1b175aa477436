@unit @pre_merge
Feature: Invalid requests do not reach a backend

  @ROUTER-012
  Scenario Outline: The invalid body <body> is rejected
    Given the backends return "Done."
    When the client sends POST /v1/chat/completions with this body:
      """
      <body>
      """
    And the client sends "Hello!"
    Then the first has status 400, 404 or 422
    And the first has an error object
    And the second has status 200
    And the backends receive 1 request

    Examples:
      | body                                                                                          |
      | "{session}"                                                                                   |
      | {"model": "rc-model", "messages": [], "user": "{session}"}                                    |
      | {"model": "rc-model", "messages": "{session}"}                                                |
      | {"model": "", "messages": [{"role": "user", "content": "{session}"}]}                         |
      | {"model": 5, "messages": [{"role": "user", "content": "{session}"}]}                          |
      | {"model": "rc-model", "messages": [{"role": "user", "content": "{session}"}]} {}              |

  @ROUTER-012
  Scenario: A stream request for an unknown model is rejected
    A router need not know the models: the backends do.
    Given the backends return 404
    When the client sends "Hello!" as a stream with model "rc-no-such-model"
    Then it has status 400, 404 or 422
    And it has an error object
