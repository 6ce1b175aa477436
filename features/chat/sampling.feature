@integration @pre_merge @live
Feature: Sampling parameters have the effect that they name
  Parameters that are accepted without any effect cost weeks: nothing fails, and the samples are not what they seem.

  @CHAT-031
  Scenario Outline: The same seed gives the same sample: <seed>
    0 is a seed, and the largest one is not rounded: a server that tests a seed for truth, or reads it as a float, gives other samples.
    When the client sends "Tell me about the sea." 3 times concurrently with temperature 1 and seed <seed> and max_tokens 24
    Then all responses have the same token ids

    Examples:
      | seed                |
      | 0                   |
      | 1                   |
      | 9007199254740993    |
      | 9223372036854775807 |

  @CHAT-031 @stress
  Scenario: A seed gives the same sample beside concurrent requests
    When the client sends "Tell me about the sea." with temperature 1 and seed 7 and max_tokens 24
    And the client sends the same request 12 times concurrently
    And the client sends the same request again
    Then all responses have the same token ids

  @CHAT-030 @needs:seed
  Scenario: A seed has no effect at temperature 0
    When the client sends "Count from 1 to 12."
    And the client sends the same request with 6 different seeds
    Then both responses have the same token ids

  @CHAT-030
  Scenario: A cached prompt gives the same completion
    When the client sends "Count from 1 to 20."
    And the client sends the same request again
    And the client sends the same request 4 times concurrently
    Then all responses have the same token ids
    And the first and the second response have the same logprobs

  @CHAT-033 @needs:stop
  Scenario Outline: A stop string ends the text before it, wherever it begins: <stop>
    When the client sends "Count from 1 to 9."
    And the client sends the same request with stop <stop>
    Then the second response is the first response up to <stop>

    Examples:
      | stop     |
      | "1"      |
      | " 4 5"   |
      | "5 6 7 " |
      | "9"      |

  @CHAT-034 @needs:stop
  Scenario: max_tokens is reached before the stop string
    When the client sends "Count from 1 to 9." with max_tokens 40 and stop " 8"
    And the client sends "Count from 1 to 9." with max_tokens 4 and stop " 8"
    Then the second response is truncated after 4 tokens, where the first response is longer

  @CHAT-035
  Scenario: max_completion_tokens truncates a stream as max_tokens does
    When the client sends "Count from 1 to 20." as a stream with max_tokens 3
    And the client sends "Count from 1 to 20." as a stream with max_completion_tokens 3 without max_tokens
    Then the second response has the same text as the first response, or is rejected

  @CHAT-034 @vllm @needs:ignore_eos
  Scenario: ignore_eos generates exactly max_tokens tokens
    Load generators request an exact number of tokens.
    When the client sends "Hello!" with max_tokens 40 and ignore_eos true
    Then the response is truncated after 40 tokens

  @CHAT-037
  Scenario Outline: A stream has <count> alternatives for each token
    When the client sends "Tell me about the sea." with max_tokens 12 and top_logprobs <count>
    And the client sends the same request as a stream
    Then each token of both responses has <count> alternatives

    Examples:
      | count |
      | 0     |
      | 1     |
      | 4     |
