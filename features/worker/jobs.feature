@integration @pre_merge
Feature: A worker carries out a job
  A job is a prompt and a limit. The worker streams one event for each token, and ends the stream with a reason and a counter.

  @WORKER-012 @WORKER-001
  Scenario: A job of eight tokens
    When the client executes "Hello!" with at most 8 tokens
    Then it is carried out
    And it ends for the reason length after 8 tokens

  @WORKER-002 @WORKER-005 @WORKER-006 @orcd
  Scenario: The events of a job are in order
    When the client executes "Tell me a story." with at most 30 tokens
    Then it is carried out

  @WORKER-053
  Scenario: Tokens arrive as they are generated
    When the client executes "Tell me a long story." with at most 160 tokens
    Then the tokens of the response arrive as they are generated

  @WORKER-011
  Scenario Outline: Text in <script> has whole characters
    When the client executes "<prompt>" with at most 40 tokens at temperature 0.8 and seed 7
    Then it is carried out
    Examples:
      | script   | prompt              |
      | Chinese  | 请给我讲一个故事。  |
      | Arabic   | مرحبا بالعالم       |
      | emoji    | 👩‍👩‍👧‍👦 🎉 🚀 |

  @WORKER-103
  Scenario: A stream and a whole response have equal output
    When the client executes "Tell me a story." with at most 24 tokens
    And the client executes "Tell me a story." with at most 24 tokens, not streamed
    Then both responses have equal output
