@e2e @pre_merge
Feature: The capital of France
  The smallest question that shows at once whether an engine understands, obeys and ends.

  @CHAT-060 @vllm @live
  Scenario: One word for one question
    When the engine is asked "In one word, can you provide me the capital of France?"
    And it is asked the same again
    Then both are answered
    And both say "Paris"

  @CHAT-050 @vllm @live
  Scenario: One word in one stream
    When the engine is asked "In one word, can you provide me the capital of France?"
    And it is asked the same as a stream
    Then both say the same

  @CHAT-060 @CHAT-061
  Scenario: One word in the midst of another conversation
    When the engine is asked "Count from 1 to 3."
    And it is then asked "In one word, can you provide me the capital of France?"
    And it is then asked "Count from 1 to 3."
    Then the second says "Paris"
    And "Paris" is nowhere in the first and the third

  @CHAT-060 @stress @live
  Scenario: One word for ten clients at once
    When the engine is asked "In one word, can you provide me the capital of France?" 10 times at once
    Then it is answered
    And it says "Paris"
