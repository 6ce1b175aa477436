@integration @pre_merge
Feature: Invalid requests
  A mistake of the user is rejected as one, changes nothing, and does not keep the next call from being carried out.

  @TRAINING-117
  Scenario: An unsupported model
    When the client creates the model a from the base model "rc-no-such/model" as unsupported
    And the client creates the model b as supported
    Then the first response is rejected as a mistake of the user
    And the second response is carried out

  @TRAINING-032 @tinker-json @tinker
  Scenario Outline: A batch with <defect>
    When the client creates the model a
    And the client runs forward_backward on the model a with <defect>
    And the client runs forward_backward on the model a with batch A
    Then the first response is rejected as a mistake of the user
    And the second response is carried out

    Examples:
      | defect                        |
      | an unknown loss               |
      | one weight too few            |
      | a token beyond the vocabulary |
      | a weight of NaN               |

  @TRAINING-032 @signal
  Scenario Outline: The malformed body <body>
    When the client creates the model a
    And the client sends POST /runs/{model:a}/forward_backward as malformed with this body:
      """
      <body>
      """
    And the client runs forward_backward on the model a with batch A
    Then the first response is rejected as a mistake of the user
    And the second response is carried out

    Examples:
      | body                                     |
      | [1, 2]                                   |
      | {batch_data: words}                      |
      | {batch_data: [{text: red}], loss_fn: 7}  |

  @TRAINING-130 @signal
  Scenario: A run that does not exist
    When the client sends POST /runs/run_0000000000000000/optim_step as missing with this body:
      """
      {learning_rate: 0.1}
      """
    Then it is rejected with 404
