@integration @pre_merge @live
Feature: Tool calls

  @CHAT-042
  Scenario: A stream calls a tool where tool_choice is required
    When the client sends "Hello!" as a stream with the tools add and subtract and tool_choice "required"
    Then the response calls a tool, as `tool_choice` requests

  @CHAT-042
  Scenario: A stream calls the tool that tool_choice names
    When the client sends "Hello!" as a stream with the tools add and subtract with these members:
      """
      tool_choice: {type: function, function: {name: subtract}}
      """
    Then the response calls subtract, as `tool_choice` requests

  @CHAT-041 @needs:calculates
  Scenario: A stream calls no tool where tool_choice is none
    When the client sends "Please calculate 5 plus 3." as a stream with the tools add and subtract and tool_choice "none"
    Then the response calls no tool, as `tool_choice` requests

  @CHAT-043 @CHAT-026 @CHAT-058
  Scenario: A conversation of streamed turns with tool calls
    When the client sends "Please calculate 5 plus 3." as a stream with the tools add, subtract and multiply
    And the client sends the tool results
    And the client continues with "Please calculate 6 times 7."
    And the client sends the tool results
    Then the first response calls add
    And the second response contains "8"
    And the third response calls multiply
    And the fourth response contains "42"
    And each prompt has more tokens than the one before

  @CHAT-043
  Scenario: The last tool result is used, whatever the earlier ones were
    When the client sends this invented history with the tools add and multiply:
      """
      - {role: user, content: Please calculate 5 plus 3.}
      - {role: assistant, content: null, tool_calls: [{id: call_1, type: function, function: {name: add, arguments: '{"a": 5, "b": 3}'}}]}
      - {role: tool, tool_call_id: call_1, content: "8"}
      - {role: assistant, content: The result is 8.}
      - {role: user, content: Please calculate 6 times 7.}
      - {role: assistant, content: null, tool_calls: [{id: call_2, type: function, function: {name: multiply, arguments: '{"a": 6, "b": 7}'}}]}
      - {role: tool, tool_call_id: call_2, content: "42"}
      """
    Then the response contains "42"
    And the response calls no tool

  @CHAT-040 @needs:calculates
  Scenario: A declared tool need not be called
    When the client sends "Hello!" with the tools add, subtract and multiply
    And the client sends the same request as a stream
    Then both responses call no tool
