Feature: What this file is about

  # The first requirement is reported as broken when the scenario fails.
  # Every sentence: rollout-conformance vocabulary --profile router
  @{about=ROUTER-050}
  Scenario: {title}
    Given the backends return "Done."
    When the client sends "Hello!"
    Then the response has status 200
