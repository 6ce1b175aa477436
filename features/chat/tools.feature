@integration @pre_merge @live
Feature: Tools

  @CHAT-042
  Scenario: A stream has to call a tool as well when some tool is required
    When the engine is asked "Hello!" as a stream with the tools add and subtract and tool_choice "required"
    Then it calls some tool, as it was told to

  @CHAT-042
  Scenario: A stream calls the tool that is named
    When the engine is asked "Hello!" as a stream with the tools add and subtract with these members:
      """
      tool_choice: {type: function, function: {name: subtract}}
      """
    Then it calls subtract, as it was told to

  @CHAT-041 @needs:calculates
  Scenario: A stream calls no tool under none
    When the engine is asked "Please calculate 5 plus 3." as a stream with the tools add and subtract and tool_choice "none"
    Then it calls no tool, as it was told to

  @CHAT-043 @CHAT-026 @CHAT-058
  Scenario: A loop of tools in streams, each turn after the one before
    When the engine is asked "Please calculate 5 plus 3." as a stream with the tools add, subtract and multiply
    And it is given what its tools say
    And it is then asked "Please calculate 6 times 7."
    And it is given what its tools say
    Then the first calls add
    And the second says "8"
    And the third calls multiply
    And the fourth says "42"
    And each prompt is longer than the one before

  @CHAT-043
  Scenario: The result of a call is read, whatever the calls before it gave
    When the engine is given a history that it never had with the tools add and multiply:
      """
      - {role: user, content: Please calculate 5 plus 3.}
      - {role: assistant, content: null, tool_calls: [{id: call_1, type: function, function: {name: add, arguments: '{"a": 5, "b": 3}'}}]}
      - {role: tool, tool_call_id: call_1, content: "8"}
      - {role: assistant, content: The result is 8.}
      - {role: user, content: Please calculate 6 times 7.}
      - {role: assistant, content: null, tool_calls: [{id: call_2, type: function, function: {name: multiply, arguments: '{"a": 6, "b": 7}'}}]}
      - {role: tool, tool_call_id: call_2, content: "42"}
      """
    Then it says "42"
    And it calls no tool

  @CHAT-040
  Scenario: Tools that are there need not be called
    When the engine is asked "Hello!" with the tools add, subtract and multiply
    And it is asked the same as a stream
    Then both call no tool
