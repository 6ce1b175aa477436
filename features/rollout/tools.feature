@integration @pre_merge
Feature: Tools
  The server runs the tools that the policy calls. Each tool call gets one tool result, with its id and in its order; an invalid tool call
  gets an error as its result.

  @ROLLOUT-104 @needs:calculator
  Scenario Outline: The calculator can <tool>
    Given the policy calls <tool> with {"a": <a>, "b": <b>}
    And the policy answers "Done."
    When the trainer starts the rollout
    And the rollout ends
    Then the rollout completes with finish reason stop
    And the tool result is <result>

    Examples:
      | tool     | a  | b | result |
      | add      | 19 | 4 | 23     |
      | subtract | 19 | 4 | 15     |
      | multiply | 19 | 4 | 76     |
      | divide   | 19 | 4 | 4.75   |

  @ROLLOUT-100 @needs:calculator
  Scenario Outline: Invalid arguments give an error: <why>
    Given the policy calls add with <arguments>
    And the policy answers "Done."
    When the trainer starts the rollout
    And the rollout ends
    Then the tool call returns an error
    And the rollout completes with finish reason stop

    Examples:
      | why            | arguments                  |
      | one is missing | {"b": 3}                   |
      | wrong names    | {"x": 5, "y": 3}           |
      | text           | {"a": "five", "b": "three"} |
      | an object      | {"a": {"value": 5}, "b": 3} |

  @ROLLOUT-095
  Scenario: Three tool calls in one turn have their results in the same order
    Given the policy calls 3 tools in one turn
    And the policy answers "Done."
    When the trainer starts the rollout
    And the rollout ends
    Then the rollout completes with finish reason stop

  @ROLLOUT-101 @needs:calculator
  Scenario: A division by zero does not end the rollout
    Given the policy calls divide with {"a": 7, "b": 0}
    And the policy calls divide with {"a": 7, "b": 2}
    And the policy answers "The result is 3.5."
    When the trainer starts the rollout
    And the rollout ends
    Then the tool results are ["error", 3.5]
    And the trainer receives 3 generation requests
