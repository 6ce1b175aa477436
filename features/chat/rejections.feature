@unit @pre_merge
Feature: Invalid requests are rejected, and the next request is served
  No schema finds a rejection that stops the server, or one that begins as a stream with status 200.

  @CHAT-003 @CHAT-005 @live
  Scenario Outline: An invalid parameter is rejected, streamed or not: <member> <value>
    When the client sends "Hello!" with <member> <value>
    And the client sends the same request as a stream
    And the client sends "Hello!"
    Then the first and the second response are rejected
    And the third response has status 200

    Examples:
      | member          | value           |
      | tool_choice     | "required"      |
      | tool_choice     | "sometimes"     |
      | response_format | {"type": "xml"} |

  @CHAT-003 @CHAT-005 @live @needs:request_sampling
  Scenario Outline: An invalid sampling parameter is rejected, streamed or not: <member> <value>
    When the client sends "Hello!" with <member> <value>
    And the client sends the same request as a stream
    And the client sends "Hello!"
    Then the first and the second response are rejected
    And the third response has status 200

    Examples:
      | member     | value             |
      | top_p      | 1.5               |
      | n          | 0                 |
      | max_tokens | "ten"             |
      | stop       | {"at": "the end"} |
      | seed       | "seven"           |

  @CHAT-003
  Scenario: A negative number of alternatives is rejected before a stream begins
    vLLM 0.32 rejects it without a stream, and begins a stream with status 200 before it validates it.
    When the client sends "Hello!" with top_logprobs -1
    And the client sends the same request as a stream
    And the client sends "Hello!"
    Then the first and the second response are rejected
    And the third response has status 200

  @CHAT-003 @CHAT-042 @live
  Scenario: A tool_choice that names an undeclared tool is rejected
    When the client sends "Hello!" with the tool add with these members:
      """
      tool_choice: {type: function, function: {name: rc_no_such_tool}}
      """
    And the client sends "Hello!" with the tool add
    Then the first response is rejected
    And the second response has status 200

  @CHAT-004 @live @last
  Scenario: A conversation that is too long is rejected before its stream begins
    When the client sends more tokens than the model takes as a stream
    And the client sends "Hello!"
    Then the first response is rejected
    And the second response has status 200

  @CHAT-003 @CHAT-005 @live
  Scenario Outline: A body that is not a chat request is rejected: <body>
    When the client sends POST /v1/chat/completions with this body:
      """
      <body>
      """
    Then the response is rejected

    Examples:
      | body                                                                         |
      | null                                                                         |
      | "Hello!"                                                                     |
      | {"messages": [{"content": "who says this?"}]}                                |
      | {"messages": [null]}                                                         |
      | {"messages": {"role": "user", "content": "Hello!"}}                          |
      | {"messages": [{"role": "user", "content": "Hello!"}]} {"and": "another one"} |

  @CHAT-003 @CHAT-005 @live @needs:request_sampling
  Scenario: A temperature that JSON does not have is rejected
    When the client sends POST /v1/chat/completions with this body:
      """
      {"messages": [{"role": "user", "content": "Hello!"}], "temperature": NaN}
      """
    Then the response is rejected

  @CHAT-006 @CHAT-007 @live
  Scenario Outline: A request without a valid API key is rejected: <scheme> <secret>
    When the client sends "Hello!" without an API key with the header authorization "<scheme> <secret>"
    And the client sends "Hello!"
    Then the first response has status 401 or 403
    And the second response has status 200

    Examples:
      | scheme | secret         |
      | Bearer | rc-no-such-key |
      | Bearer | Bearer         |
      | Basic  | cmM6cmM=       |
