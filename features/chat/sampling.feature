@integration @pre_merge @live
Feature: What is asked for is done
  Parameters that are accepted without any effect cost weeks: nothing fails, and the samples are not what they seem.

  @CHAT-031
  Scenario Outline: A seed is a seed, also <seed>
    Zero is a number, and the largest is not rounded: what is tested for truth, or read as a float, gives other samples.
    When the engine is asked "Tell me about the sea." 3 times at once with temperature 1 and seed <seed> and max_tokens 24
    Then all sampled the same tokens

    Examples:
      | seed                |
      | 0                   |
      | 1                   |
      | 9007199254740993    |
      | 9223372036854775807 |

  @CHAT-031 @stress
  Scenario: A seed gives the same sample in company
    When the engine is asked "Tell me about the sea." with temperature 1 and seed 7 and max_tokens 24
    And it is asked the same 12 times at once
    And it is asked the same again
    Then all sampled the same tokens

  @CHAT-030
  Scenario: Without chance a seed changes nothing
    When the engine is asked "Count from 1 to 12."
    And it is asked the same under 6 seeds
    Then both sampled the same tokens

  @CHAT-030
  Scenario: A prompt from the cache is the same prompt
    When the engine is asked "Count from 1 to 20."
    And it is asked the same again
    And it is asked the same 4 times at once
    Then all sampled the same tokens
    And the first and the second have the same logprobs

  @CHAT-033 @needs:stop
  Scenario Outline: A stop string stops before it, wherever it begins: <stop>
    When the engine is asked "Count from 1 to 9."
    And it is asked the same with stop <stop>
    Then the second is the first up to <stop>

    Examples:
      | stop     |
      | "1"      |
      | " 4 5"   |
      | "5 6 7 " |
      | "9"      |

  @CHAT-034 @needs:stop
  Scenario: The limit comes before the stop string
    When the engine is asked "Count from 1 to 9." with max_tokens 4 and stop " 8"
    Then it is cut after 4 tokens

  @CHAT-035
  Scenario: The newer name of the limit cuts a stream as well
    When the engine is asked "Count from 1 to 20." as a stream with max_tokens 3
    And it is asked "Count from 1 to 20." as a stream with max_completion_tokens 3 without max_tokens
    Then the second says what the first says, or is refused

  @CHAT-034 @vllm @needs:ignore_eos
  Scenario: A length that was ordered is delivered
    Load generators ask for so many tokens and no fewer.
    When the engine is asked "Hello!" with max_tokens 40 and ignore_eos true
    Then it is cut after 40 tokens

  @CHAT-037
  Scenario Outline: A stream has <count> alternatives for each token as well
    When the engine is asked "Tell me about the sea." with max_tokens 12 and top_logprobs <count>
    And it is asked the same as a stream
    Then each token of both has <count> alternatives

    Examples:
      | count |
      | 0     |
      | 1     |
      | 4     |
