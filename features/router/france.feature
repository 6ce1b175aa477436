@e2e @pre_merge
Feature: The capital of France
  The same question as that to an engine. Here the engines are played: what goes wrong on the way is the router's.

  @ROUTER-002 @ROUTER-015
  Scenario: One word for one question
    Given the engines say "Paris"
    When the client sends "In one word, can you provide me the capital of France?" with max_tokens 10 and temperature 0.1
    And the client sends the same request as a stream
    Then all have status 200
    And both say "Paris", all of it and once
    And all that the first was asked with reached the engine
    And the first holds these members:
      """
      model: rc-model
      object: chat.completion
      usage: {prompt_tokens: 7, completion_tokens: 1, total_tokens: 8}
      """
    And the engines were asked 2 times

  @ROUTER-003
  Scenario Outline: One word all the same, when the engines <trouble> once
    Given the engines <trouble>, then say "Paris"
    When the client sends "In one word, can you provide me the capital of France?"
    Then it says "Paris", all of it and once
    And the engines were asked 2 to 3 times

    Examples:
      | trouble    |
      | answer 503 |
      | break off  |

  @ROUTER-015 @ROUTER-017 @stress
  Scenario: One word for twenty clients at once, and no question is asked twice
    Given the engines say "Paris"
    When the client sends "In one word, can you provide me the capital of France?" 20 times concurrently
    Then it has status 200
    And it says "Paris", all of it and once
    And the engines were asked 20 times

  @ROUTER-018
  Scenario: Each of ten answers says who gave it
    Given the engines say "Paris"
    When the client sends "In one word, can you provide me the capital of France?" 10 times concurrently
    Then it has the header X-Routing-Backend
