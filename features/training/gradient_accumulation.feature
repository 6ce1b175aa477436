@integration @pre_merge
Feature: Gradients of several batches
  Gradients are added until an optimizer step uses them. A step on part of the batches would return numbers that look right as well.

  @TRAINING-001
  Scenario Outline: <first> and <second> one after the other are both of them together
    When the client creates the model apart
    And the client creates the model together
    And the client creates the model again
    And the client creates the model partly
    And the client runs forward_backward on the model apart with batch <first>
    And the client runs forward_backward on the model apart with batch <second>
    And the client takes an optimizer step on the model apart
    And the client runs forward_backward on the model together with batch <first> and <second>
    And the client takes an optimizer step on the model together
    And the client runs forward_backward on the model again with batch <first> and <second>
    And the client takes an optimizer step on the model again
    And the client runs forward_backward on the model partly with batch <second>
    And the client takes an optimizer step on the model partly
    And the client measures the model apart as one_by_one
    And the client measures the model together as at_once
    And the client measures the model again as repeated
    And the client measures the model partly as one_missing
    Then the numbers of one_by_one and at_once are equal, unlike those of one_missing, where at_once and repeated are equal

    Examples:
      | first | second |
      | A     | B      |
      | C     | A      |

  @TRAINING-138
  Scenario: A step without gradients is rejected
    When the client creates the model a
    And the client takes an optimizer step on the model a
    And the client runs forward_backward on the model a with batch A
    And the client takes an optimizer step on the model a
    And the client takes an optimizer step on the model a
    Then the first response is rejected as a mistake of the user
    And the member step of the result of the third response is 1
    And the fourth response is rejected as a mistake of the user

  @TRAINING-007 @tinker-json @tinker @needs:seed
  Scenario: A step without gradients changes nothing, or is rejected
    When the client creates the model a
    And the client creates the model b
    And the client measures the model a as before
    And the client takes an optimizer step on the model a as empty
    And the client measures the model a as after
    And the client runs forward_backward on the model b with batch A
    And the client takes an optimizer step on the model b
    And the client measures the model b as trained
    Then the second response is carried out or rejected as a mistake of the user
    And the numbers of after and before are equal, unlike those of trained
