@unit @pre_merge
Feature: What cannot be served is refused, and the next request is served
  A refusal that takes the engine along, or that begins as a stream with 200, is found by nobody's schema.

  @CHAT-003 @CHAT-005 @live
  Scenario Outline: Refused, as a stream as well: <member> <value>
    When the client sends "Hello!" with <member> <value>
    And the client sends the same request as a stream
    And the client sends "Hello!"
    Then the first and the second are rejected
    And the third has status 200

    Examples:
      | member          | value             |
      | top_p           | 1.5               |
      | n               | 0                 |
      | max_tokens      | "ten"             |
      | tool_choice     | "required"        |
      | tool_choice     | "sometimes"       |
      | response_format | {"type": "xml"}   |
      | stop            | {"at": "the end"} |
      | seed            | "seven"           |

  @CHAT-003
  Scenario: A number of alternatives below zero is refused before a stream begins
    vLLM 0.32 refuses it in a reply, and begins a stream with 200 before it finds out.
    When the client sends "Hello!" with top_logprobs -1
    And the client sends the same request as a stream
    And the client sends "Hello!"
    Then the first and the second are rejected
    And the third has status 200

  @CHAT-003 @CHAT-042 @live
  Scenario: A tool that is named and not declared is refused
    When the client sends "Hello!" with the tool add with these members:
      """
      tool_choice: {type: function, function: {name: rc_no_such_tool}}
      """
    And the client sends "Hello!" with the tool add
    Then the first is rejected
    And the second has status 200

  @CHAT-004 @live @last
  Scenario: A conversation that is too long is refused before a stream of it begins
    When the client sends more tokens than the model takes as a stream
    And the client sends "Hello!"
    Then the first is rejected
    And the second has status 200

  @CHAT-003 @CHAT-005 @live
  Scenario Outline: A body that is no question is refused: <body>
    When the client sends POST /v1/chat/completions with this body:
      """
      <body>
      """
    Then it is rejected

    Examples:
      | body                                                                         |
      | null                                                                         |
      | "Hello!"                                                                     |
      | {"messages": [{"content": "who says this?"}]}                                |
      | {"messages": [null]}                                                         |
      | {"messages": {"role": "user", "content": "Hello!"}}                          |
      | {"messages": [{"role": "user", "content": "Hello!"}], "temperature": NaN}    |
      | {"messages": [{"role": "user", "content": "Hello!"}]} {"and": "another one"} |

  @CHAT-006 @CHAT-007 @live
  Scenario Outline: A key is asked for in every form
    When the client sends POST /v1/chat/completions without an API key with the header authorization "<scheme> <secret>" with this body:
      """
      {"messages": [{"role": "user", "content": "Hello!"}]}
      """
    And the client sends GET /v1/models
    Then the first has status 401 or 403
    And the second has status 200

    Examples:
      | scheme | secret         |
      | Bearer | rc-no-such-key |
      | Bearer | Bearer         |
      | Basic  | cmM6cmM=       |
