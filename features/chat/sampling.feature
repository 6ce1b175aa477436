@integration @pre_merge @live
Feature: What is asked for is done
  Parameters that are accepted without any effect cost weeks: nothing fails, and the samples are not what they seem.

  @CHAT-031
  Scenario Outline: A seed is a seed, also <seed>
    Zero is a number, and the largest is not rounded: what is tested for truth, or read as a float, gives other samples.
    When the client sends "Tell me about the sea." 3 times concurrently with temperature 1 and seed <seed> and max_tokens 24
    Then all have the same token ids

    Examples:
      | seed                |
      | 0                   |
      | 1                   |
      | 9007199254740993    |
      | 9223372036854775807 |

  @CHAT-031 @stress
  Scenario: A seed gives the same sample in company
    When the client sends "Tell me about the sea." with temperature 1 and seed 7 and max_tokens 24
    And the client sends the same request 12 times concurrently
    And the client sends the same request again
    Then all have the same token ids

  @CHAT-030
  Scenario: Without chance a seed changes nothing
    When the client sends "Count from 1 to 12."
    And the client sends the same request with 6 different seeds
    Then both have the same token ids

  @CHAT-030
  Scenario: A prompt from the cache is the same prompt
    When the client sends "Count from 1 to 20."
    And the client sends the same request again
    And the client sends the same request 4 times concurrently
    Then all have the same token ids
    And the first and the second have the same logprobs

  @CHAT-033 @needs:stop
  Scenario Outline: A stop string stops before it, wherever it begins: <stop>
    When the client sends "Count from 1 to 9."
    And the client sends the same request with stop <stop>
    Then the second is the first up to <stop>

    Examples:
      | stop     |
      | "1"      |
      | " 4 5"   |
      | "5 6 7 " |
      | "9"      |

  @CHAT-034 @needs:stop
  Scenario: The limit comes before the stop string
    When the client sends "Count from 1 to 9." with max_tokens 4 and stop " 8"
    Then it is truncated after 4 tokens

  @CHAT-035
  Scenario: The newer name of the limit cuts a stream as well
    When the client sends "Count from 1 to 20." as a stream with max_tokens 3
    And the client sends "Count from 1 to 20." as a stream with max_completion_tokens 3 without max_tokens
    Then the second has the same text as the first, or is rejected

  @CHAT-034 @vllm @needs:ignore_eos
  Scenario: A length that was ordered is delivered
    Load generators ask for so many tokens and no fewer.
    When the client sends "Hello!" with max_tokens 40 and ignore_eos true
    Then it is truncated after 40 tokens

  @CHAT-037
  Scenario Outline: A stream has <count> alternatives for each token as well
    When the client sends "Tell me about the sea." with max_tokens 12 and top_logprobs <count>
    And the client sends the same request as a stream
    Then each token of both has <count> alternatives

    Examples:
      | count |
      | 0     |
      | 1     |
      | 4     |
