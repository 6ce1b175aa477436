@integration @pre_merge
Feature: Requests and responses are forwarded unchanged
  A router that parses a body forwards all that it has parsed.

  @ROUTER-015
  Scenario Outline: Text that looks like the protocol is text: <words>
    Given the backends return "<words>"
    When the client sends "Hello!" as a stream
    And the client sends the same request without stream
    Then the text of both responses is exactly "<words>"
    And the first has no usage

    Examples:
      | words                            |
      | The sign [DONE] is not the end.  |
      | data: [DONE]                     |
      | event: error                     |
      | {error: nothing} is an object    |
      | usage and choices and null       |

  @ROUTER-001
  Scenario: Numbers of a request are forwarded unchanged
    Integers that are parsed as floats lose their last digits, and another seed gives another sample.
    Given the backends return "Done."
    When the client sends "Hello!" with these members:
      """
      seed: 9007199254740993
      temperature: 1.0e-7
      top_p: 0.1234567890123456
      logit_bias: {"50256": -100, "0": 0}
      rc_big: 123456789012345678901234567890
      """
    Then it has status 200
    And the backend receives every member of the request

  @ROUTER-002
  Scenario: Numbers of a response are forwarded unchanged
    Given each backend response has these members:
      """
      created: 1795260814
      prompt_logprobs: [null, -0.0000001, -12.345678901234567]
      rc_big: 123456789012345678901234567890
      """
    When the client sends "Hello!"
    Then it has these members:
      """
      prompt_logprobs: [null, -0.0000001, -12.345678901234567]
      rc_big: 123456789012345678901234567890
      """

  @ROUTER-001
  Scenario: Unicode text of a request is forwarded unchanged
    Given the backends return "Done."
    When the client sends these messages:
      """
      - {role: system, content: "\u0000 and \u2028 are letters, too"}
      - {role: user, content: "\U0001F469\u200D\U0001F469\u200D\U0001F467 e\u0301 \u00e9 </script> \\u0041 \"quoted\""}
      """
    Then it has status 200
    And the backend receives every member of the request

  @ROUTER-001 @kv_router
  Scenario: Members for KV cache routing are forwarded to the backend
    Prefill on one backend and decode on another needs the salt of the cache and the addresses of its blocks.
    Given the backends return "Done."
    When the client sends "Hello!" as a stream with these members:
      """
      cache_salt: rc-salt
      priority: 0
      kv_transfer_params: {do_remote_decode: true, do_remote_prefill: false, remote_block_ids: null, remote_port: 0}
      nvext: {annotations: [], agent_hints: {latency_sensitivity: 0}}
      """
    Then it has status 200
    And the backend receives every member of the request

  @ROUTER-002 @kv_router
  Scenario: Members about the KV cache are forwarded to the client
    Given each backend response has these members:
      """
      usage: {prompt_tokens: 7, completion_tokens: 10, total_tokens: 17, prompt_tokens_details: {cached_tokens: 0}}
      kv_transfer_params: {remote_engine_id: e1, remote_block_ids: [0, 1], remote_port: 0}
      """
    When the client sends "Hello!"
    Then it has these members:
      """
      usage: {prompt_tokens: 7, completion_tokens: 10, total_tokens: 17, prompt_tokens_details: {cached_tokens: 0}}
      kv_transfer_params: {remote_engine_id: e1, remote_block_ids: [0, 1], remote_port: 0}
      """

  @ROUTER-016
  Scenario: A stream with a repeated Idempotency-Key reaches the backends once
    Given the backends return "Once and only once.", then return "Twice."
    When the client sends "Hello!" as a stream with the header Idempotency-Key "{session}"
    And the client sends the same request again
    Then the text of both responses is exactly "Once and only once."
    And both have the same body
    And the backends receive 1 request

  @ROUTER-008 @ROUTER-014 @stress
  Scenario: Streams are complete when other clients disconnect
    Given the backends return a completion, a chunk every 0.05 s, without end
    When the client sends "Hello!" as a stream 6 times concurrently and disconnects after 3 chunks
    And the router disconnects from the backends
    Given the backends return a completion, a chunk every 0.05 s
    When the client sends "Hello!" as a stream 6 times concurrently
    Then the backends are disconnected
    And the text of the second response is exactly "One two three four five six seven eight nine ten."

  @ROUTER-015 @stress @nightly
  Scenario: Forty-eight concurrent streams are complete, and forwarded once each
    Given the backends return a completion, a chunk every 0.01 s
    When the client sends "Hello!" as a stream 48 times concurrently
    Then it has status 200
    And the text of the response is exactly "One two three four five six seven eight nine ten."
    And the backends receive 48 requests
