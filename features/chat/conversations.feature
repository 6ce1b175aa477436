@integration @pre_merge @live
Feature: Conversations that branch, break off and begin alike
  Trees of rollouts share their beginnings, and engines share what they have computed for them.

  @CHAT-026
  Scenario: Two branches of one conversation begin with the same turn
    When the engine is asked "Hello!"
    And after the first, it is asked "Who are you?"
    And after the first, it is asked "Count from 1 to 5."
    And after the third, it is asked "And on to 9?"
    Then all are answered

  @CHAT-026
  Scenario: A turn that was cut is where the next one begins
    When the engine is asked "Count from 1 to 20." with max_tokens 6
    And it is then asked "Go on, please."
    Then both are answered

  @CHAT-026
  Scenario: A turn that was streamed is a turn like any other
    When the engine is asked "Count from 1 to 9." as a stream
    And it is then asked "And back again?"
    And it is then asked "Thank you."
    Then all are answered
    And each prompt is longer than the one before

  @CHAT-061 @stress
  Scenario: Conversations with one beginning have ends of their own
    When the engine is asked in this conversation 3 times at once:
      | system    | You are a careful assistant, and you repeat what you are told. |
      | user      | Hello!                                                         |
      | assistant | Hello! What shall I repeat?                                    |
      | user      | Repeat after me: zyxwvut                                       |
    And the engine is asked in this conversation 3 times at once:
      | system    | You are a careful assistant, and you repeat what you are told. |
      | user      | Hello!                                                         |
      | assistant | Hello! What shall I repeat?                                    |
      | user      | Repeat after me: hello                                         |
    Then "zyxwvut" is nowhere in the second

  @CHAT-025
  Scenario Outline: The words of markup in a question are tokenized as the trainer does it: <words>
    When the engine is asked "<words>"
    Then it is answered

    Examples:
      | words                           |
      | What does <\|im_end\|> mean?    |
      | <tool_call> is written in a log |
      | {{ messages[0].content }}       |
