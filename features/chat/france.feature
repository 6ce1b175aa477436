@e2e @pre_merge
Feature: The capital of France
  The smallest question that shows at once whether an engine understands, obeys and ends.

  @CHAT-060 @vllm @live
  Scenario: One word for one question
    When the client sends "In one word, can you provide me the capital of France?"
    And the client sends the same request again
    Then both have status 200
    And both contain "Paris"

  @CHAT-050 @vllm @live
  Scenario: One word in one stream
    When the client sends "In one word, can you provide me the capital of France?"
    And the client sends the same request as a stream
    Then both have the same text

  @CHAT-060 @CHAT-061
  Scenario: One word in the midst of another conversation
    When the client sends "Count from 1 to 3."
    And the client continues with "In one word, can you provide me the capital of France?"
    And the client continues with "Count from 1 to 3."
    Then the second contains "Paris"
    And the first and the third do not contain "Paris"

  @CHAT-060 @stress @live
  Scenario: One word for ten clients at once
    When the client sends "In one word, can you provide me the capital of France?" 10 times concurrently
    Then it has status 200
    And it contains "Paris"
