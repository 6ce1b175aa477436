@integration @pre_merge
Feature: Tools
  The server runs the tools that the policy calls. Each call gets one answer, under its id, in its place; and a call that makes
  no sense gets an answer that says so.

  @ROLLOUT-104 @needs:calculator
  Scenario Outline: The calculator can <tool>
    Given the trainer calls <tool> with {"a": <a>, "b": <b>}
    And the trainer says "Done."
    When the rollout is started
    And it has ended
    Then it is completed because of "stop"
    And the tool result is <result>

    Examples:
      | tool     | a  | b | result |
      | add      | 19 | 4 | 23     |
      | subtract | 19 | 4 | 15     |
      | multiply | 19 | 4 | 76     |
      | divide   | 19 | 4 | 4.75   |

  @ROLLOUT-100 @needs:calculator
  Scenario Outline: Arguments that the calculator does not take: <why>
    Given the trainer calls add with <arguments>
    And the trainer says "Done."
    When the rollout is started
    And it has ended
    Then the tool result is error
    And it is completed because of "stop"

    Examples:
      | why            | arguments                  |
      | one is missing | {"b": 3}                   |
      | wrong names    | {"x": 5, "y": 3}           |
      | text           | {"a": "five", "b": "three"} |
      | an object      | {"a": {"value": 5}, "b": 3} |

  @ROLLOUT-095
  Scenario: Three tools at once answer in their order
    Given the trainer calls 3 tools at once
    And the trainer says "Done."
    When the rollout is started
    And it has ended
    Then it is completed because of "stop"
    And the final messages are by system, user, assistant, tool, tool, tool, assistant

  @ROLLOUT-101 @needs:calculator
  Scenario: Dividing by zero does not end the conversation
    Given the trainer calls divide with {"a": 7, "b": 0}
    And the trainer calls divide with {"a": 7, "b": 2}
    And the trainer says "The result is 3.5."
    When the rollout is started
    And it has ended
    Then the tool results are error, 3.5
    And there were 3 generation calls
