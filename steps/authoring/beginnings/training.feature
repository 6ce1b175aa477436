Feature: What this file is about

  # The first requirement is reported as broken when the scenario fails.
  # Every sentence: rollout-conformance vocabulary --profile training
  @{about=TRAINING-018}
  Scenario: {title}
    When the client creates the model a
    And the client runs forward_backward on the model a with batch A
    And the client takes an optimizer step on the model a
    And the client measures the model a as saved
    And the client saves the model a as one
    And the client runs forward_backward on the model a with batch B
    And the client takes an optimizer step on the model a
    And the client measures the model a as later
    And the client creates the model b
    And the client loads one into the model b
    And the client measures the model b as loaded
    Then the numbers of loaded and saved are equal, unlike those of later
