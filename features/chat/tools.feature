@integration @pre_merge @live
Feature: Tools

  @CHAT-042
  Scenario: A stream has to call a tool as well when some tool is required
    When the client sends "Hello!" as a stream with the tools add and subtract and tool_choice "required"
    Then it calls a tool, as `tool_choice` requests

  @CHAT-042
  Scenario: A stream calls the tool that is named
    When the client sends "Hello!" as a stream with the tools add and subtract with these members:
      """
      tool_choice: {type: function, function: {name: subtract}}
      """
    Then it calls subtract, as `tool_choice` requests

  @CHAT-041 @needs:calculates
  Scenario: A stream calls no tool under none
    When the client sends "Please calculate 5 plus 3." as a stream with the tools add and subtract and tool_choice "none"
    Then it calls no tool, as `tool_choice` requests

  @CHAT-043 @CHAT-026 @CHAT-058
  Scenario: A loop of tools in streams, each turn after the one before
    When the client sends "Please calculate 5 plus 3." as a stream with the tools add, subtract and multiply
    And the client sends the tool results
    And the client continues with "Please calculate 6 times 7."
    And the client sends the tool results
    Then the first calls add
    And the second contains "8"
    And the third calls multiply
    And the fourth contains "42"
    And each prompt has more tokens than the one before

  @CHAT-043
  Scenario: The result of a call is read, whatever the calls before it gave
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
    Then it contains "42"
    And it calls no tool

  @CHAT-040
  Scenario: Tools that are there need not be called
    When the client sends "Hello!" with the tools add, subtract and multiply
    And the client sends the same request as a stream
    Then both call no tool
