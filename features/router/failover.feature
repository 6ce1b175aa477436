@integration @pre_merge
Feature: Backends that fail
  The client does not notice that a backend fails while another backend works. An error of the client does not count against a backend.

  @ROUTER-003
  Scenario Outline: A stream fails over after a <status>
    Given the backends return <status>, then return "Done."
    When the client sends "Hello!" as a stream
    Then the text of the response is exactly "Done."
    And the backends receive 2 to 3 requests

    Examples:
      | status |
      | 500    |
      | 504    |

  @ROUTER-072
  Scenario: A stream fails over after a status that no specification has
    Given the backends return 529, then return "Done."
    When the client sends "Hello!" as a stream
    Then the text of the response is exactly "Done."
    And the backends receive 2 to 3 requests

  @ROUTER-004
  Scenario Outline: A <status> of a backend is forwarded without failover
    Given the backends return <status>, then return "Done."
    When the client sends "Hello!" as a stream
    Then it has status <status>
    And the backends receive 1 request

    Examples:
      | status |
      | 404    |
      | 413    |
      | 422    |

  @ROUTER-004 @ROUTER-003
  Scenario: A 400 of the second backend is forwarded after the first backend has failed
    Given the backends return 500, then return 400
    When the client sends "Hello!"
    Then it has status 400
    And the backends receive 2 requests

  @ROUTER-005 @ROUTER-009
  Scenario Outline: Two backends fail, each in its own way: they <first>, then <second>
    Given the backends <first>, then <second>
    When the client sends "Hello!"
    And the client sends "Hello!" as a stream
    Then both have status 500, 502, 503 or 504

    Examples:
      | first                | second               |
      | reset the connection | return 500           |
      | return 503           | reset the connection |

  @ROUTER-006 @ROUTER-009
  Scenario: One backend is silent, and the other one fails
    Given the backends send nothing, then return 500 with the body "rc-engine-internals: CUDA out of memory"
    When the client sends "Hello!" as a stream
    Then it has status 500, 502, 503 or 504

  @ROUTER-007 @slow @needs:timeout
  Scenario: A stream whose backend stops sending is recognisable as incomplete
    Given the backends return a completion, a chunk every 30 s, then return 503
    When the client sends "Hello!" as a stream
    Then the response is recognisable as incomplete

  @ROUTER-015 @slow @needs:timeout
  Scenario: A slow stream that never pauses does not time out
    A time limit for the whole request would end long responses, which are those that rollouts need.
    Given the backends return a completion, a chunk every 0.25 s
    When the client sends "Hello!" as a stream
    Then the text of the response is exactly "One two three four five six seven eight nine ten."

  @ROUTER-007 @ROUTER-015
  Scenario Outline: A stream that is reset after <chunks> chunks is recognisable as incomplete, or resumed
    Given the backends return a completion, a chunk every 0.02 s and reset the connection after <chunks> chunks, then return 503
    When the client sends "Hello!" as a stream
    Then the response is recognisable as incomplete

    Examples:
      | chunks |
      | 2      |
      | 3      |
      | 8      |

  @ROUTER-017 @alone
  Scenario: A backend is used again after a single failure
    A router may pause it for a while.
    Given the backends return 500, then return "Done."
    When the client sends "Hello!"
    Given the backends return "Done."
    When requests are sent until backend a receives one
    And requests are sent until backend b receives one
    Then the second and the third have status 200
    And backend a receives a request
    And backend b receives a request
