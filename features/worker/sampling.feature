@integration @pre_merge
Feature: Seeds and prompts decide what is generated

  @WORKER-113
  Scenario: Equal seeds give equal output
    When the client executes "Tell me a story." with at most 24 tokens at temperature 1.0 and seed 42
    And the client executes "Tell me a story." with at most 24 tokens at temperature 1.0 and seed 43
    And the client executes "Tell me a story." with at most 24 tokens at temperature 1.0 and seed 42
    Then the first and the third response have equal output

  @WORKER-038
  Scenario: Different seeds give different output
    When the client executes "Tell me a story." with at most 24 tokens at temperature 1.5 and seed 1
    And the client executes "Tell me a story." with at most 24 tokens at temperature 1.5 and seed 2
    And the client executes "Tell me a story." with at most 24 tokens at temperature 1.5 and seed 3
    Then the outputs of all responses are not all equal

  @WORKER-039
  Scenario: Another prompt gives another output
    When the client executes "What is a cat?" with at most 24 tokens
    And the client executes "What is a whale?" with at most 24 tokens
    Then the outputs of both responses are not all equal

  @WORKER-037
  Scenario: Equal jobs at temperature 0 have equal output
    When the client executes "Tell me a story." with at most 24 tokens, 4 times at the same time
    Then all responses have equal output
