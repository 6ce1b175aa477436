@integration @pre_merge
Feature: What is no valid job is rejected before its stream begins

  @WORKER-032 @orcd
  Scenario Outline: A job with <member> <value> is rejected
    When the client executes "Hello!" with this body:
      """
      {<member>: <value>}
      """
    Then it is rejected for its member <member>
    Examples:
      | member      | value |
      | max_tokens  | 0     |
      | temperature | 3     |

  @WORKER-031 @orcd
  Scenario: Each violation is named
    When the client executes "Hello!" with this body:
      """
      {max_tokens: 0, temperature: 3, top_p: -1}
      """
    Then it is rejected with 3 violations

  @WORKER-041 @WORKER-042 @orcd
  Scenario: The health describes the worker
    When the client asks for the health of the worker
    Then the response has status 200
    And it describes the worker and its model
