@integration @pre_merge
Feature: A job can be cancelled, and a client can leave
  A cancelled job ends soon and says so. A job whose client has left gives its slot back.

  @WORKER-045 @WORKER-110
  Scenario Outline: A job is cancelled after <count> tokens
    When the client executes "Tell me a long story." with at most 600 tokens in the background
    And <count> tokens of the response have arrived
    And the client cancels it
    And all jobs have ended
    Then the first response ends as cancelled
    Examples:
      | count |
      | 1     |
      | 30    |

  @WORKER-044
  Scenario: A job that never was is cancelled
    When the client cancels a job with the id "rc-never-executed"
    Then the response has status 2xx

  @WORKER-044
  Scenario: A job that has ended is cancelled twice
    When the client executes "Hello!" with at most 4 tokens
    And the client cancels the response 2 times
    Then the first response is carried out
    And the second response has status 2xx

  @WORKER-047
  Scenario: The worker generates as before when a client has left
    When the client executes "Tell me a story." with at most 20 tokens
    And the client executes "Tell me a long story." with at most 600 tokens and disconnects after 3 of them
    And the client executes "Tell me a story." with at most 20 tokens
    Then the first and the third response have equal output
