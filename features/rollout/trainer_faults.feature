@integration @pre_merge
Feature: A trainer that fails
  What fails at the trainer must never look like something that the policy did.

  @ROLLOUT-083 @ROLLOUT-119
  Scenario Outline: A refusal with <status> fails the rollout at once
    Given the trainer answers <status> for ever
    When the rollout is started
    And it has ended
    Then it has failed
    And there was 1 generation call

    Examples:
      | status |
      | 402    |
      | 410    |
      | 451    |

  @ROLLOUT-087 @ROLLOUT-084
  Scenario: Two failures in a row are survived
    Given the trainer calls any tool
    And the trainer answers 503 2 times
    And the trainer says "Done."
    When the rollout is started
    And it has ended
    Then it is completed because of "stop"
    And there were 4 generation calls
    And the delays between retries do not shrink

  @ROLLOUT-089 @sync
  Scenario: The failure of the trainer keeps its name
    Given the trainer answers 500 for ever
    When the rollout is started
    And it has ended
    Then it has failed with the category "trainer_server_error" and the status 500

  @ROLLOUT-090
  Scenario: A connection that always breaks is no fault of the server's own
    Given the trainer breaks every connection
    When the rollout is started
    And it has ended
    Then it has failed, and not with the category "internal_error"

  @ROLLOUT-076
  Scenario: A web page is no generation
    Given the trainer answers with a web page for ever
    When the rollout is started
    And it has ended
    Then it has failed
