@integration @pre_merge
Feature: A complete training loop
  A client creates a model, trains it, samples from it and saves it. What the server returns has to follow from what it received.

  @TRAINING-200 @needs:sampling @needs:checkpoints
  Scenario: A model is trained, sampled from and saved
    When the client creates the model a
    And the client measures the model a as before
    And the client runs forward_backward on the model a with batch A and B, without earlier gradients
    And the client takes an optimizer step on the model a
    And the client samples 4 tokens from the model a
    And the client saves the model a as final
    And the client measures the model a as after
    Then all are carried out
    And the numbers of before and after differ

  @TRAINING-017
  Scenario: The loss falls over several steps
    When the client creates the model a
    And the client runs forward_backward on the model a with batch A as one, without earlier gradients
    And the client takes an optimizer step on the model a
    And the client runs forward_backward on the model a with batch A as two, without earlier gradients
    And the client takes an optimizer step on the model a
    And the client runs forward_backward on the model a with batch A as three, without earlier gradients
    Then the losses of one, two and three fall

  @TRAINING-136
  Scenario: Steps are counted
    When the client creates the model a
    And the client runs forward_backward on the model a with batch A
    And the client takes an optimizer step on the model a
    And the client runs forward_backward on the model a with batch A
    And the client takes an optimizer step on the model a
    Then the member step of the result of the second response is 1
    And the member step of the result of the fourth response is 2

  @TRAINING-009
  Scenario: The loss is the sum that follows from the returned logprobs
    When the client creates the model a
    And the client runs forward on the model a with batch A and B as evaluated
    And the client runs forward_backward on the model a with batch A and B, weights 0.5 and 2 in turns
    Then the loss of the first response is the one computed from its logprobs
    And the loss of the second response is the one computed from its logprobs

  @TRAINING-013 @needs:seed
  Scenario: Nothing is learnt from weights of 0
    When the client creates the model a
    And the client creates the model b
    And the client measures the model a as before
    And the client runs forward_backward on the model a with batch A, all weights 0
    And the client takes an optimizer step on the model a
    And the client measures the model a as after
    And the client runs forward_backward on the model b with batch A
    And the client takes an optimizer step on the model b
    And the client measures the model b as trained
    Then the loss of the second response is 0
    And the numbers of after and before are equal, unlike those of trained
