Feature: What this file is about

  # The first requirement is reported as broken when the scenario fails.
  # Every sentence: rollout-conformance vocabulary --profile chat
  @{about=CHAT-026}
  Scenario: {title}
    When the client sends "Hello!"
    And the client continues with "Go on, please."
    Then both responses have status 200
