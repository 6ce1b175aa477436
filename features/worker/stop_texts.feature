@integration @pre_merge
Feature: A stop text ends a job
  The stop text is taken from the output of the same job without one, so that it is there with any model.

  @WORKER-015 @needs:repeatable @needs:text
  Scenario Outline: A stop text of <spans> tokens ends the job
    When the client executes "Tell me a story." with at most 40 tokens as whole
    And the client executes "Tell me a story." with at most 40 tokens and a stop text that spans <spans> tokens of the first response
    Then the second response ends at its stop text in the output of whole
    Examples:
      | spans |
      | 2     |
      | 3     |

  @WORKER-013 @needs:repeatable @needs:text
  Scenario: A stop text of one token ends the job
    When the client executes "Tell me a story." with at most 40 tokens as whole
    And the client executes "Tell me a story." with at most 40 tokens and a stop text that spans 1 tokens of the first response
    Then the second response ends at its stop text in the output of whole

  @WORKER-017 @needs:repeatable @needs:text
  Scenario: The last permitted token completes a stop text
    When the client executes "Write a list." with at most 40 tokens as whole
    And the client executes "Write a list." with a stop text of 1 token of whole at its limit as first_cut
    And the client executes "Write a list." with a stop text of 2 tokens of whole at its limit as second_cut
    Then first_cut and second_cut end for the same reason
