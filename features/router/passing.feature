@integration @pre_merge
Feature: What passes through
  A router that reads what it passes on, passes on what it has read.

  @ROUTER-015
  Scenario Outline: Words that look like the protocol are words: <words>
    Given the engines say "<words>"
    When the client sends "Hello!" as a stream
    And the client sends the same request without stream
    Then both say "<words>", all of it and once
    And the first has no usage

    Examples:
      | words                            |
      | The sign [DONE] is not the end.  |
      | data: [DONE]                     |
      | event: error                     |
      | {error: nothing} is an object    |
      | usage and choices and null       |

  @ROUTER-001
  Scenario: Numbers arrive as they were written
    What is read as a float loses the last digits of a seed, and another sample comes.
    Given the engines say "Done."
    When the client sends "Hello!" with these members:
      """
      seed: 9007199254740993
      temperature: 1.0e-7
      top_p: 0.1234567890123456
      logit_bias: {"50256": -100, "0": 0}
      rc_big: 123456789012345678901234567890
      """
    Then it has status 200
    And all that it was asked with reached the engine

  @ROUTER-002
  Scenario: Numbers come back as they were written
    Given the replies of the engines hold these members:
      """
      created: 1795260814
      prompt_logprobs: [null, -0.0000001, -12.345678901234567]
      rc_big: 123456789012345678901234567890
      """
    When the client sends "Hello!"
    Then it holds these members:
      """
      prompt_logprobs: [null, -0.0000001, -12.345678901234567]
      rc_big: 123456789012345678901234567890
      """

  @ROUTER-001
  Scenario: Letters of all kinds arrive as they were written
    Given the engines say "Done."
    When the client sends these messages:
      """
      - {role: system, content: "\u0000 and \u2028 are letters, too"}
      - {role: user, content: "\U0001F469\u200D\U0001F469\u200D\U0001F467 e\u0301 \u00e9 </script> \\u0041 \"quoted\""}
      """
    Then it has status 200
    And all that it was asked with reached the engine

  @ROUTER-001 @kv_router
  Scenario: What routers of caches need reaches the engine
    Prefill here and decode there works only when neither the salt of the cache nor the address of its blocks is lost on the way.
    Given the engines say "Done."
    When the client sends "Hello!" as a stream with these members:
      """
      cache_salt: rc-salt
      priority: 0
      kv_transfer_params: {do_remote_decode: true, do_remote_prefill: false, remote_block_ids: null, remote_port: 0}
      nvext: {annotations: [], agent_hints: {latency_sensitivity: 0}}
      """
    Then it has status 200
    And all that it was asked with reached the engine

  @ROUTER-002 @kv_router
  Scenario: What engines tell of their caches comes back
    Given the replies of the engines hold these members:
      """
      usage: {prompt_tokens: 7, completion_tokens: 10, total_tokens: 17, prompt_tokens_details: {cached_tokens: 0}}
      kv_transfer_params: {remote_engine_id: e1, remote_block_ids: [0, 1], remote_port: 0}
      """
    When the client sends "Hello!"
    Then it holds these members:
      """
      usage: {prompt_tokens: 7, completion_tokens: 10, total_tokens: 17, prompt_tokens_details: {cached_tokens: 0}}
      kv_transfer_params: {remote_engine_id: e1, remote_block_ids: [0, 1], remote_port: 0}
      """

  @ROUTER-016
  Scenario: A stream that is repeated under one key is one stream
    Given the engines say "Once and only once.", then say "Twice."
    When the client sends "Hello!" as a stream with the header Idempotency-Key "{session}"
    And the client sends the same request again
    Then both say "Once and only once.", all of it and once
    And both are the same reply
    And the engines were asked once

  @ROUTER-008 @ROUTER-014 @stress
  Scenario: Those who stay get all of their streams when others leave
    Given the engines say something, a word every 0.05 s, without end
    When the client sends "Hello!" as a stream 6 times concurrently and disconnects after 3 chunks
    And an engine notices that the router has hung up
    Given the engines say something, a word every 0.05 s
    When the client sends "Hello!" as a stream 6 times concurrently
    Then the engine was left
    And the second says "One two three four five six seven eight nine ten.", all of it and once

  @ROUTER-015 @stress @nightly
  Scenario: Forty-eight streams at once, each whole and each once
    Given the engines say something, a word every 0.01 s
    When the client sends "Hello!" as a stream 48 times concurrently
    Then it has status 200
    And it says "One two three four five six seven eight nine ten.", all of it and once
    And the engines were asked 48 times
