Feature: What this file is about

  # The first requirement is reported as broken when the scenario fails. @callback or @sync: only in that dialect.
  # Every sentence: rollout-conformance vocabulary --profile rollout
  # The tool is one of the calculator: write a tool of your server, with its arguments and result, and leave out @needs:calculator.
  @{about=ROLLOUT-112} @needs:calculator
  Scenario: {title}
    Given the policy calls add with {"a": 5, "b": 3}
    And the policy answers "The result is 8."
    When the trainer starts the rollout
    And the rollout ends
    Then the rollout completes with finish reason stop
    And the tool result is 8
