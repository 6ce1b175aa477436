@integration @pre_merge
Feature: Saved models
  A saved model is what it was when it was saved.

  @TRAINING-018 @TRAINING-020
  Scenario: A checkpoint is loaded after its model was trained further
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

  @TRAINING-019
  Scenario: Training continues with the state of the optimizer
    When the client creates the model a
    And the client runs forward_backward on the model a with batch A
    And the client takes an optimizer step on the model a
    And the client saves the model a as one
    And the client creates the model b
    And the client loads one with its optimizer into the model b
    And the client creates the model c
    And the client loads one into the model c
    And the client runs forward_backward on the model a with batch C
    And the client takes an optimizer step on the model a
    And the client runs forward_backward on the model b with batch C
    And the client takes an optimizer step on the model b
    And the client runs forward_backward on the model c with batch C
    And the client takes an optimizer step on the model c
    And the client measures the model a as continued
    And the client measures the model b as resumed
    And the client measures the model c as without_moments
    Then the numbers of resumed and continued are equal, unlike those of without_moments

  @TRAINING-154
  Scenario: Adapter and merged model are two artifacts
    When the client creates the model a
    And the client runs forward_backward on the model a with batch A
    And the client takes an optimizer step on the model a
    And the client saves the model a as one in the mode adapter
    And the client saves the model a as two in the mode merged
    And the client sends GET /runs/{model:a}/artifacts
    Then the fifth response lists the artifacts adapter and merged of the step 1
