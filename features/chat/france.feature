@e2e @pre_merge
Feature: The capital of France
  The smallest request that shows whether a server understands, follows an instruction and ends.

  @CHAT-060 @vllm @live
  Scenario: The answer is one word, also the second time
    When the client sends "In one word, can you provide me the capital of France?"
    And the client sends the same request again
    Then both responses have status 200
    And both responses contain "Paris"

  @CHAT-050 @vllm @live
  Scenario: The streamed answer is the same
    When the client sends "In one word, can you provide me the capital of France?"
    And the client sends the same request as a stream
    Then both responses have the same text

  @CHAT-060 @CHAT-061
  Scenario: The answer in the middle of another conversation
    When the client sends "Count from 1 to 3."
    And the client continues with "In one word, can you provide me the capital of France?"
    And the client continues with "Count from 1 to 3."
    Then the second response contains "Paris"
    And the first and the third response do not contain "Paris"

  @CHAT-060 @stress @live
  Scenario: The same answer for ten concurrent clients
    When the client sends "In one word, can you provide me the capital of France?" 10 times concurrently
    Then the response has status 200
    And the response contains "Paris"
