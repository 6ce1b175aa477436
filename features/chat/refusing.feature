@unit @pre_merge
Feature: What cannot be served is refused, and the next request is served
  A refusal that takes the engine along, or that begins as a stream with 200, is found by nobody's schema.

  @CHAT-003 @CHAT-005 @live
  Scenario Outline: Refused, as a stream as well: <member> <value>
    When the engine is asked "Hello!" with <member> <value>
    And it is asked the same as a stream
    And it is asked "Hello!"
    Then the first and the second are refused
    And the third is answered

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
    When the engine is asked "Hello!" with top_logprobs -1
    And it is asked the same as a stream
    And it is asked "Hello!"
    Then the first and the second are refused
    And the third is answered

  @CHAT-003 @CHAT-042 @live
  Scenario: A tool that is named and not declared is refused
    When the engine is asked "Hello!" with the tool add with these members:
      """
      tool_choice: {type: function, function: {name: rc_no_such_tool}}
      """
    And it is asked "Hello!" with the tool add
    Then the first is refused
    And the second is answered

  @CHAT-004 @live @last
  Scenario: A conversation that is too long is refused before a stream of it begins
    When the engine is asked more than it can take as a stream
    And the engine is asked "Hello!"
    Then the first is refused
    And the second is answered

  @CHAT-003 @CHAT-005 @live
  Scenario Outline: A body that is no question is refused: <body>
    When POST /v1/chat/completions is sent with this body:
      """
      <body>
      """
    Then it is refused

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
    When POST /v1/chat/completions is sent without a key with the header authorization "<scheme> <secret>" with this body:
      """
      {"messages": [{"role": "user", "content": "Hello!"}]}
      """
    And GET /v1/models is sent
    Then the first is answered 401 or 403
    And the second is answered

    Examples:
      | scheme | secret         |
      | Bearer | rc-no-such-key |
      | Bearer | Bearer         |
      | Basic  | cmM6cmM=       |
