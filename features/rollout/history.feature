@integration @pre_merge
Feature: History
  What was said comes back as it was said.

  @ROLLOUT-049 @needs:calculator
  Scenario Outline: Arguments written as <how> come back to the letter
    Given the trainer calls add with <arguments>
    And the trainer says "Done."
    When the rollout is started
    And it has ended
    Then the tool result is 8
    And it is completed because of "stop"

    Examples:
      | how           | arguments              |
      | tight JSON    | {"a":5,"b":3}          |
      | wide JSON     | { "a" : 5 , "b" : 3 }  |
      | other order   | {"b": 3, "a": 5}       |
      | floats        | {"a": 5.0, "b": 3.00}  |

  @ROLLOUT-049
  Scenario: A conversation that is written down as YAML
    Given the trainer plays scenarios/rollout/history.yaml "reasoning comes back as it was given"
    When the rollout is started
    And it has ended
    Then it is completed because of "stop"

  @ROLLOUT-051
  Scenario: Sampling is passed on
    Given the start request has sampling {"temperature": 0.25, "max_tokens": 99}
    And the trainer calls any tool
    And the trainer says "Done."
    When the rollout is started
    And it has ended
    Then every generation call has temperature 0.25
    And every generation call has max_tokens 99
