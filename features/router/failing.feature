@integration @pre_merge
Feature: Engines that fail
  An engine that fails is not the client's affair as long as another one is well, and a mistake of the client's is not the engines'.

  @ROUTER-003
  Scenario Outline: A stream is asked of the other engine after a <status>
    Given the engines answer <status>, then say "Done."
    When the client sends "Hello!" as a stream
    Then it says "Done.", all of it and once
    And the engines were asked 2 to 3 times

    Examples:
      | status |
      | 500    |
      | 504    |
      | 529    |

  @ROUTER-004
  Scenario Outline: A <status> of an engine is told as it is, and no other engine is asked
    Given the engines answer <status>, then say "Done."
    When the client sends "Hello!" as a stream
    Then it fails with <status>
    And the engines were asked once

    Examples:
      | status |
      | 404    |
      | 413    |
      | 422    |

  @ROUTER-004 @ROUTER-003
  Scenario: What the second engine says of the request counts, when the first one failed
    Given the engines answer 500, then answer 400
    When the client sends "Hello!"
    Then it fails with 400
    And the engines were asked 2 times

  @ROUTER-005 @ROUTER-009
  Scenario Outline: Two engines fail, each in its own way: they <first>, then <second>
    Given the engines <first>, then <second>
    When the client sends "Hello!"
    And the client sends "Hello!" as a stream
    Then both fail

    Examples:
      | first      | second     |
      | break off  | answer 500 |
      | answer 503 | break off  |

  @ROUTER-006 @ROUTER-009
  Scenario: One engine is silent, and the other one fails
    Given the engines are silent, then answer 500 with the body "rc-engine-internals: CUDA out of memory"
    When the client sends "Hello!" as a stream
    Then it fails

  @ROUTER-007 @slow @needs:timeout
  Scenario: An engine that falls silent in the midst of a stream has not finished
    Given the engines say something, a word every 30 s, then answer 503
    When the client sends "Hello!" as a stream
    Then it does not look finished

  @ROUTER-015 @slow @needs:timeout
  Scenario: An engine that is slow and never silent is not given up
    A limit on the whole request ends the long answers, which are those that a rollout is about.
    Given the engines say something, a word every 0.25 s
    When the client sends "Hello!" as a stream
    Then it says "One two three four five six seven eight nine ten.", all of it and once

  @ROUTER-007 @ROUTER-015
  Scenario Outline: A stream that dies after <pieces> pieces has no end, or the right one
    Given the engines say something, a word every 0.02 s and die after <pieces> pieces, then answer 503
    When the client sends "Hello!" as a stream
    Then it does not look finished

    Examples:
      | pieces |
      | 2      |
      | 3      |
      | 8      |

  @ROUTER-017 @alone
  Scenario: One failure is no reason to do without an engine
    It may rest for a while, and is asked again.
    Given the engines answer 500, then say "Done."
    When the client sends "Hello!"
    Given the engines say "Done."
    When the router is asked until engine a answers
    And the router is asked until engine b answers
    Then the second and the third have status 200
    And engine a is asked
    And engine b is asked
