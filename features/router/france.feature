@e2e @pre_merge
Feature: The capital of France

  @ROUTER-015
  Scenario: One word for one question
    Given the engines break off, then say "Paris"
    When the router is asked "In one word, can you provide me the capital of France?"
    Then it says "Paris", all of it and once
