@live
Feature: A conversation that belongs to one rollout
  Servers retry, lose answers and come late. What the trainer has on record must be what the policy was shown.

  @TRAINER-187
  Scenario Outline: A history that is not the one so far is refused
    When the trainer enrolls the rollout
    And the next turn is asked for
    And the next turn is asked for
    And the next turn is asked for with its history <bent>
    And the next turn is asked for
    Then the turns are answered 200, 200, 4xx and 200

    Examples:
      | bent      |
      | rewritten |
      | cut       |
      | back      |
      | dropped   |
      | swapped   |

  @TRAINER-190 @needs:record
  Scenario: A turn that is asked for three times at once is one turn
    When the trainer enrolls the rollout
    And the next turn is asked for 3 times at once
    And the same turn is asked for again
    And its record is read
    Then the same turn has the same reply
    And the record shows 1 turn

  @TRAINER-194 @needs:key
  Scenario: One rollout's key does not open another
    When for rollout "a", the trainer enrolls the rollout
    And for rollout "b", the trainer enrolls the rollout
    And for rollout "a", the next turn is asked for with the key of "b"
    And for rollout "a", the next turn is asked for
    Then for rollout "a", the turns are answered 401 and 200

  @TRAINER-195
  Scenario: Nothing is generated once the end is known
    When the trainer enrolls the rollout
    And the next turn is asked for
    And the rollout comes to its end
    And its record is read after the end
    And the next turn is asked for
    Then the turns are answered 200 and 4xx

  @TRAINER-191
  Scenario: The same end three times is one end
    When the trainer enrolls the rollout
    And the rollout comes to its end
    And the same end is reported again
    And the same end is reported again
    Then the ends are answered 200, 200 and 200, all alike

  @TRAINER-197 @needs:record
  Scenario: Two rollouts at one server, each with the tools of its own answer
    When for rollout "a", the trainer enrolls the rollout at a server with the tools add and subtract
    And for rollout "b", the trainer enrolls the rollout at the server of "a"
    And for rollout "a", the next turn is asked for
    And for rollout "b", the next turn is asked for
    And for rollout "a", its record is read
    And for rollout "b", its record is read
    Then the prompts have the tools of their server

  @TRAINER-199
  Scenario: A busy server is started again, but not before it said
    When the trainer enrolls the rollout at a server that first answers 429 with Retry-After 0.2
    And the next turn is asked for
    Then the server was started 2 times

  @TRAINER-198 @needs:record
  Scenario: A server that never comes back ends the rollout
    When the trainer enrolls the rollout for 1 s
    And its record is read after the end
    Then the record shows TIMEOUT or ERROR
