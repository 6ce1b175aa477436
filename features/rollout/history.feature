@integration @pre_merge
Feature: The history is forwarded unchanged
  Every generation request contains the messages of all turns before it, byte for byte.

  @ROLLOUT-049 @needs:calculator
  Scenario Outline: Tool arguments are preserved byte for byte: <format>
    Given the policy calls add with <arguments>
    And the policy answers "Done."
    When the trainer starts the rollout
    And the rollout ends
    Then the tool result is 8
    And the rollout completes with finish reason stop

    Examples:
      | format       | arguments              |
      | compact JSON | {"a":5,"b":3}          |
      | spaced JSON  | { "a" : 5 , "b" : 3 }  |
      | other order  | {"b": 3, "a": 5}       |
      | floats       | {"a": 5.0, "b": 3.00}  |

  @ROLLOUT-049
  Scenario: A conversation that is written in a YAML case
    Given the trainer responds as in scenarios/rollout/history.yaml "reasoning is preserved"
    When the trainer starts the rollout
    And the rollout ends
    Then the rollout completes with finish reason stop

  @ROLLOUT-051
  Scenario: Sampling parameters are forwarded
    Given the start request has sampling {"temperature": 0.25, "max_tokens": 99}
    And the policy calls any tool
    And the policy answers "Done."
    When the trainer starts the rollout
    And the rollout ends
    Then every generation request has temperature 0.25
    And every generation request has max_tokens 99
