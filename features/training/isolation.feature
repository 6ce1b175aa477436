@integration @pre_merge
Feature: Several models and several tenants
  Every model is trained as if it were alone, and what belongs to a tenant is seen by no other.

  @TRAINING-115
  Scenario: One tenant has several models
    When the client creates the model a as one
    And the client creates the model b as two
    And the client creates the model c as three
    Then all are carried out

  @TRAINING-029 @needs:other
  Scenario: Two tenants train in turns
    When the client creates the model a
    And the tenant other creates the model b
    And the client creates the model c
    And the client creates the model d
    And the client runs forward_backward on the model a with batch A
    And the client runs forward_backward on the model b with batch B
    And the client takes an optimizer step on the model b
    And the client takes an optimizer step on the model a
    And the client runs forward_backward on the model c with batch A
    And the client takes an optimizer step on the model c
    And the client runs forward_backward on the model d with batch A
    And the client takes an optimizer step on the model d
    And the client measures the model a as in_turns
    And the client measures the model c as alone
    And the client measures the model d as again
    And the client measures the model b as of_the_other
    Then the numbers of in_turns and alone are equal, unlike those of of_the_other, where alone and again are equal

  @TRAINING-028 @signal
  Scenario: A run of another tenant is not trained
    When the client creates the model a
    And the client measures the model a as before
    And the tenant other sends POST /runs/{model:a}/optim_step as theirs with this body:
      """
      {learning_rate: 0.5}
      """
    And the client measures the model a as after
    Then the second response is rejected with 403 or 404
    And the numbers of after and before are equal

  @TRAINING-030
  Scenario: A new model does not begin where another one ended
    When the client creates the model a
    And the client measures the model a as fresh
    And the client runs forward_backward on the model a with batch A
    And the client takes an optimizer step on the model a
    And the client measures the model a as trained
    And the client creates the model b
    And the client measures the model b as second
    Then the numbers of second and fresh are equal, unlike those of trained
