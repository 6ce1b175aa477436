@integration @pre_merge @live
Feature: A stream is the same completion as a response that is not streamed

  @CHAT-050
  Scenario Outline: Characters that take several tokens arrive whole: <letters>
    When the client sends these messages:
      """
      - {role: user, content: What is it?}
      - {role: assistant, content: null, tool_calls: [{id: c1, type: function, function: {name: look, arguments: "{}"}}]}
      - {role: tool, tool_call_id: c1, content: "<letters>"}
      """
    And the client sends the same request as a stream
    Then both responses have the same text

    Examples:
      | letters              |
      | 👩‍👩‍👧 and 🇫🇷            |
      | e\u0301 is not \u00e9 |
      | مرحبا, 你好, 한국어        |
      | 𝔘𝔫𝔦𝔠𝔬𝔡𝔢               |
      | two  spaces,\ttabs   |
      | שלום, नमस्ते, สวัสดี     |
      | Ελλάδα, Україна, ქართული |
      | 👩🏽‍🚀🏳️‍🌈❤️🔥😀👍🏿       |
      | 𠮷野家, が, ﷽, İıſß     |

  @CHAT-050 @needs:stop
  Scenario Outline: A stream stops at the same place, also within a token: <stop>
    When the client sends "Count from 1 to 9." with stop <stop>
    And the client sends the same request as a stream
    Then both responses have the same text

    Examples:
      | stop               |
      | "1"                |
      | " 4 5"             |
      | ["9 1", "8 9", "7 8 10"] |

  @CHAT-053
  Scenario Outline: No usage is sent without include_usage: <options>
    When the client sends "Count from 1 to 5." as a stream with stream_options <options>
    Then the response has no usage

    Examples:
      | options                  |
      | null                     |
      | {"include_usage": false} |

  @CHAT-059 @CHAT-053
  Scenario: A truncated stream counts the same tokens
    When the client sends "Count from 1 to 12." with max_tokens 5
    And the client sends the same request as a stream with stream_options {"include_usage": true}
    Then both responses have the same usage
    And the second response ends with usage

  @CHAT-059 @needs:n @needs:seed @needs:request_sampling
  Scenario: A stream of three choices counts the tokens of all of them
    When the client sends "Tell me about the sea." with n 3 and temperature 1 and seed 5 and max_tokens 12
    And the client sends the same request as a stream with stream_options {"include_usage": true}
    Then both responses have the same usage
    And the second response ends with usage

  @CHAT-044
  Scenario: A streamed JSON object is a JSON object
    When the client sends "Give me a JSON object." with response_format {"type": "json_object"}
    And the client sends the same request as a stream
    Then the text of both responses is a JSON object

  @CHAT-030 @stress
  Scenario: Clients that disconnect do not change the completions of others
    When the client sends "Count from 1 to 20."
    And the client sends "Tell me about the sea." as a stream 6 times concurrently and disconnects after 2 chunks
    And the client sends "Count from 1 to 20." 4 times concurrently
    Then the first and the third response have the same text

  @CHAT-050 @CHAT-051 @stress @nightly
  Scenario: 24 concurrent streams have one beginning and one end each
    When the client sends "Count from 1 to 12."
    And the client sends the same request as a stream 24 times concurrently
    Then all responses have the same text
