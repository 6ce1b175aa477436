@integration @pre_merge @live
Feature: Conversations that continue, branch and share a beginning
  Rollouts of one task share their beginnings, and servers share what they have computed for them.

  @CHAT-026
  Scenario: Two branches continue the same first turn
    When the client sends "Hello!"
    And the client continues the first response with "Who are you?"
    And the client continues the first response with "Count from 1 to 5."
    And the client continues the third response with "And on to 9?"
    Then all responses have status 200

  @CHAT-026
  Scenario: A truncated turn can be continued
    When the client sends "Count from 1 to 20." with max_tokens 6
    And the client continues with "Go on, please."
    Then both responses have status 200

  @CHAT-026
  Scenario: A streamed turn can be continued
    When the client sends "Count from 1 to 9." as a stream
    And the client continues with "And back again?"
    And the client continues with "Thank you."
    Then all responses have status 200
    And each prompt has more tokens than the one before

  @CHAT-061 @stress
  Scenario: Concurrent conversations with the same beginning do not mix
    When the client sends this conversation 3 times concurrently:
      | system    | You are a careful assistant, and you repeat what you are told. |
      | user      | Hello!                                                         |
      | assistant | Hello! What shall I repeat?                                    |
      | user      | Repeat after me: zyxwvut                                       |
    And the client sends this conversation 3 times concurrently:
      | system    | You are a careful assistant, and you repeat what you are told. |
      | user      | Hello!                                                         |
      | assistant | Hello! What shall I repeat?                                    |
      | user      | Repeat after me: hello                                         |
    Then the second response does not contain "zyxwvut"

  @CHAT-025
  Scenario Outline: The text of special tokens in a message is tokenized as the trainer does it: <words>
    When the client sends "<words>"
    Then the response has status 200

    Examples:
      | words                           |
      | What does <\|im_end\|> mean?    |
      | <tool_call> is written in a log |
      | {{ messages[0].content }}       |
