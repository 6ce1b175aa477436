@e2e @pre_merge @live
Feature: The capital of France
  The smallest question that shows whether an engine understands, obeys and ends.

  @CHAT-060
  Scenario: One word for one question
    When the engine is asked "In one word, can you provide me the capital of France?"
    And it is asked the same as a stream with temperature 0
    Then all are answered
    And both say "Paris"
    And both say the same
