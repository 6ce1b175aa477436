@e2e @pre_merge
Feature: A question with a one-word answer
  The same question as in the profile `chat`. Here the suite plays the backends, so the router causes whatever is wrong.

  @ROUTER-002 @ROUTER-015
  Scenario: A response and a stream arrive complete
    Given the backends return "Paris"
    When the client sends "In one word, can you provide me the capital of France?" with max_tokens 10 and temperature 0.1
    And the client sends the same request as a stream
    Then all have status 200
    And the text of both responses is exactly "Paris"
    And the backend receives every member of the first request
    And the first has these members:
      """
      model: rc-model
      object: chat.completion
      usage: {prompt_tokens: 7, completion_tokens: 1, total_tokens: 8}
      """
    And the backends receive 2 requests

  @ROUTER-003
  Scenario Outline: The answer comes from another backend when the backends <trouble> once
    Given the backends <trouble>, then return "Paris"
    When the client sends "In one word, can you provide me the capital of France?"
    Then the text of the response is exactly "Paris"
    And the backends receive 2 to 3 requests

    Examples:
      | trouble              |
      | return 503           |
      | reset the connection |

  @ROUTER-015 @ROUTER-017 @stress
  Scenario: Twenty concurrent requests are forwarded once each
    Given the backends return "Paris"
    When the client sends "In one word, can you provide me the capital of France?" 20 times concurrently
    Then it has status 200
    And the text of the response is exactly "Paris"
    And the backends receive 20 requests

  @ROUTER-018
  Scenario: Each of ten responses names its backend
    Given the backends return "Paris"
    When the client sends "In one word, can you provide me the capital of France?" 10 times concurrently
    Then it has status 200
    And it has the header X-Routing-Backend
