"""The test that each mutant of the router fails."""

import json
from collections.abc import Callable
from typing import Any

from rollout_conformance.rollout_server.tests.router import test_concurrency as crowds
from rollout_conformance.rollout_server.tests.router import test_failover as failover
from rollout_conformance.rollout_server.tests.router import test_forwarding as passing
from rollout_conformance.rollout_server.tests.router import test_headers as headers
from rollout_conformance.rollout_server.tests.router import test_limits as limits
from rollout_conformance.rollout_server.tests.router import test_rejections as refusals
from rollout_conformance.rollout_server.tests.router import test_routing_decisions as decisions
from rollout_conformance.rollout_server.tests.router import test_state as state
from rollout_conformance.rollout_server.tests.router import test_streams as streams
from rollout_conformance.rollout_server.tests.router.backend import Fake
from rollout_conformance.rollout_server.tests.router.support import HI, KEY, PATH, Caller, error, play_with


def public_paths() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        assert [(await c.get(path)).status_code for path in ("/health", "/v1/status/healthz", "/metrics")] == [200] * 3

    play_with(scenario, Fake("a"))


def told_healthy() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        assert (await c.get("/health")).json()["status"] == "healthy"

    play_with(scenario, Fake("a"))


def no_decisions() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        assert (await c.admin("GET", "/routing/decisions?limit=0")).status_code == 400

    play_with(scenario, Fake("a"))


def not_ready() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        await c.admin("POST", "/routing/backends/a/degrade")
        assert (await c.get("/v1/status/readyz")).status_code == 503

    play_with(scenario, Fake("a"))


def well_formed() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        response = await c.ask()
        answer = response.json()
        assert (answer["model"], len(answer["choices"])) == ("toy", 1)
        usage = answer["usage"]
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        assert answer["system_fingerprint"] == "a"
        assert response.headers["x-routing-backend"] == "a"

    play_with(scenario, Fake("a"))


def bearer_wins() -> None:
    refusals.test_a_valid_key({"x-api-key": KEY, "authorization": "Bearer nobody"})


def rich_deltas() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        head = {"id": "x", "model": "toy", "object": "chat.completion.chunk"}
        rich = {"index": 0, "delta": {"content": "a", "reasoning": "Hm", "tool_calls": []}, "logprobs": None}

        async def chunks(body: Any) -> Any:
            yield {**head, "choices": [rich], "unknown": 0}
            yield b"[DONE]"

        fakes[0].chunks = chunks  # type: ignore[method-assign]
        response = await c.ask(stream=True)
        assert json.loads(response.text.split("\n")[0].removeprefix("data: "))["choices"] == [rich]

    play_with(scenario, Fake("a"))


def finish_with_usage() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}], "usage": {"completion_tokens": 2}}

        async def chunks(body: Any) -> Any:
            yield last
            yield b"[DONE]"

        fakes[0].chunks = chunks  # type: ignore[method-assign]
        assert '"finish_reason": "length"' in (await c.ask(stream=True)).text

    play_with(scenario, Fake("a"))


def options_of_a_stream() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        await c.ask()
        assert "stream_options" not in fakes[0].bodies[0]
        await c.ask(stream=True, stream_options={"rc": 0})
        assert fakes[0].bodies[1]["stream_options"]["rc"] == 0

    play_with(scenario, Fake("a"))


def developers() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        said = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Hello!"}]
        assert (await c.ask(messages=said)).status_code == 200

    play_with(scenario, Fake("a"))


def starved() -> None:
    decisions.test_frequent_requests_do_not_prevent_the_refill()


def busy() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        c.app_state.running = 100
        assert error(await c.ask())["code"] == "overloaded"

    play_with(scenario, Fake("a"), max_concurrent=100)


def unknown_json() -> None:
    refusals.test_no_valid_body(b"{", None)


def missing(member: str) -> Callable[[], None]:
    return lambda: refusals.test_no_valid_body({"model": "toy", "messages": HI} | {member: None}, member)


def method() -> None:
    refusals.test_wrong_methods_and_paths("GET", PATH, 405, "POST")


def stranger() -> None:
    refusals.test_no_valid_key({}, refusals.GOOD)


def expired() -> None:
    refusals.test_no_valid_key({"x-api-key": "gone"}, refusals.GOOD)


def odd_key() -> None:
    refusals.test_no_valid_key({"x-api-key": "klüé".encode()}, refusals.GOOD)


def two_keys_alike() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        for key in (KEY, "other"):
            assert [(await c.ask(key=key)).status_code for _ in range(3)] == [200, 200, 429]

    play_with(scenario, Fake("a"), keys=tuple({"key": key, "rps": 0.1, "burst": 2} for key in (KEY, "other")))


def idempotency_cache() -> None:
    state.test_the_same_request_is_answered_once("idempotency-key", False)


def migrates() -> None:
    streams.test_another_backend_resumes_a_stream_on_request({})


def migrates_with_usage() -> None:
    streams.test_another_backend_resumes_a_stream_on_request({"stream_options": streams.USAGE})


def strict_usage() -> None:
    answer = b'{"choices":[{"message":{"tool_calls":[{"function":{"arguments":"{\\"a\\":5}"}}]}}],"usage":{"rc":0}}'
    passing.test_a_response_is_forwarded_byte_for_byte(answer)


def usage_of_a_stream() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].usage = lambda completion: {"rc": completion}  # type: ignore[method-assign]
        assert '"usage": {"rc": 7}' in (await c.ask(stream=True, stream_options={"include_usage": True})).text

    play_with(scenario, Fake("a"))


def same_at_second_attempt() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].status = 500
        await c.ask(seed=2**53 + 1)
        assert fakes[1].bodies[0]["seed"] == 2**53 + 1

    play_with(scenario, weights=[1, 0])


def end_beside_usage() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        async def chunks(body: Any) -> Any:
            yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}
            yield {"choices": [], "usage": {"completion_tokens": 2}}
            yield b"[DONE]"

        fakes[0].chunks = chunks  # type: ignore[method-assign]
        assert '"length"' in (await c.ask(stream=True, stream_options=streams.USAGE)).text

    play_with(scenario, Fake("a"))


def torn_characters() -> None:
    streams.forwarded_in_parts('data: {"choices": [{"delta": {"content": "héllo"}}]}\n\n'.encode())


def body_of_the_second_attempt() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].status = 500
        assert (await c.ask()).status_code == 200

    play_with(scenario, weights=[1, 0])


def tools_in_order() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        tools = [{"z": False, "a": 1}]
        await c.ask(tools=tools)
        assert json.dumps(fakes[0].bodies[0]["tools"]) == json.dumps(tools)

    play_with(scenario, Fake("a"))


def large(stream: bool) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].words = ["x" * 3_000_000]
        assert "x" * 3_000_000 in (await c.ask(stream=stream)).text

    play_with(scenario, Fake("a"))


def a_call() -> None:
    streams.forwarded(streams.CALL)


def served_after_rejections() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].status = fakes[1].status = 400
        assert {(await c.ask()).status_code for _ in range(60)} == {400}
        fakes[0].status = fakes[1].status = 200
        assert (await c.ask()).status_code == 200

    play_with(scenario, keys=FAST)


def spread_after_streams() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        for _ in range(3):
            await c.ask(stream=True)
        before = [fake.calls for fake in fakes]
        for _ in range(30):
            await c.ask()
        assert min(fake.calls - known for fake, known in zip(fakes, before, strict=True)) > 1

    play_with(scenario, keys=FAST)


def own_keys() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].status = 500
        await c.ask()
        assert fakes[1].headers[0]["authorization"] == "Bearer key-of-b"

    play_with(scenario, weights=[1, 0], backend_keys=["key-of-a", "key-of-b"])


def no_backend_keys_back() -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        assert not [value for value in (await c.ask()).headers.values() if "key-of-a" in value]

    play_with(scenario, backend_keys=["key-of-a", "key-of-b"], weights=[1, 0])


def half_a_body() -> None:
    """A body that is not read to its end, here because of its size."""

    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        fakes[0].answer = b"x" * 5000
        assert (await c.ask()).headers["x-routing-backend"] == "b"

    play_with(scenario, weights=[1, 0], reply_limit=2000)


def not_forwarded(method: str) -> None:
    async def scenario(c: Caller, fakes: list[Fake]) -> None:
        response = await c.request(method, PATH, headers={"x-api-key": KEY})
        assert (response.status_code, response.headers["content-type"]) == (405, "application/json")

    play_with(scenario, Fake("a"))


FAST = ({"key": KEY, "rps": 1000, "burst": 1000},)
FAILING: dict[str, Callable[[], None]] = {
    "rejections_are_failures": served_after_rejections,
    "load_never_falls": spread_after_streams,
    "one_key_for_all_backends": own_keys,
    "large_events_lost": lambda: large(True),
    "key_of_first_attempt_only": own_keys,
    "backend_key_shown": no_backend_keys_back,
    "beginning_of_a_key_valid": lambda: refusals.test_no_valid_key({"x-api-key": KEY[:-1]}, refusals.GOOD),
    "disconnect_before_response_ignored": lambda: streams.test_a_disconnect_ends_the_work_of_the_backend(False),
    "half_a_body_is_final": half_a_body,
    "usage_strict": strict_usage,
    "arguments_written_again": strict_usage,
    "retry_rounds_numbers": same_at_second_attempt,
    "characters_torn": torn_characters,
    "second_attempt_empty": body_of_the_second_attempt,
    "tools_lose_false": tools_in_order,
    "tools_sorted": tools_in_order,
    "large_responses_fail": lambda: large(False),
    "large_events_end_streams": lambda: large(True),
    "tool_deltas_lost": a_call,
    "function_call_deltas_lost": a_call,
    "reasoning_deltas_lost": a_call,
    "reasoning_content_deltas_lost": a_call,
    "refusal_deltas_lost": a_call,
    "stream_logprobs_lost": a_call,
    "stream_token_ids_lost": a_call,
    "logprobs_without_text_lost": a_call,
    "unknown_finish_reason_stop": a_call,
    "stream_usage_typed": usage_of_a_stream,
    "finish_with_usage_lost": finish_with_usage,
    "end_lost_beside_usage": end_beside_usage,
    "events_joined_at_packets": lambda: streams.forwarded_in_parts(streams.CALL),
    "stream_options_always": options_of_a_stream,
    "stream_options_replaced": options_of_a_stream,
    "usage_false_flipped": lambda: streams.test_a_stream_is_passed_on({"include_usage": False}),
    "early_end_stop": lambda: streams.test_a_stream_that_ends_in_order_is_not_completed(streams.CALL),
    "error_event_stop": lambda: streams.test_a_stream_that_ends_in_order_is_not_completed(b'data: {"error": {}}\n\n'),
    "events_end_in_lf_only": lambda: streams.forwarded(streams.CALL.replace(b"\n", b"\r\n")),
    "data_needs_space": lambda: streams.forwarded(streams.CALL, b"data:[DONE]\n\n"),
    "comments_end_streams": lambda: streams.forwarded(b": ping\n\n" + streams.CALL),
    "events_begin_with_data": lambda: streams.forwarded(b"event: message\n" + streams.CALL),
    "first_data_line_only": lambda: streams.forwarded(b'data: {"choices":\ndata: []}\n\n'),
    "drops_unknown_fields": passing.test_every_member_reaches_the_backend,
    "drops_zero_values": passing.test_every_member_reaches_the_backend,
    "drops_response_fields": well_formed,
    "model_renamed": well_formed,
    "choices_doubled": well_formed,
    "usage_sum_off": well_formed,
    "no_routing_headers": well_formed,
    "backend_4xx_as_502": lambda: passing.test_a_client_error_of_a_backend_is_forwarded(400),
    "error_shows_backend": lambda: failover.test_all_failed({"status": 500}, 502, "backend_error"),
    "error_plain_text": stranger,
    "error_flat": stranger,
    "unserved_as_500": lambda: failover.test_all_failed({"status": 500}, 502, "backend_error"),
    "silence_waited_for": lambda: failover.test_another_one_answers({"pause_s": 9.0}, False),
    "timeout_as_502": lambda: failover.test_all_failed({"pause_s": 9.0}, 504, "backend_timeout"),
    "decision_always_primary": lambda: failover.test_another_one_answers({"status": 500}, False),
    "key_in_refusal": lambda: refusals.test_no_valid_key({"x-api-key": "nobody"}, refusals.GOOD),
    "key_bytes_500": odd_key,
    "revoked_still_valid": limits.test_a_key_is_created_used_and_revoked,
    "expired_still_valid": expired,
    "any_key_valid": lambda: refusals.test_no_valid_key({"x-api-key": "nobody"}, refusals.GOOD),
    "backend_before_auth": stranger,
    "bearer_not_counted": lambda: limits.test_a_budget_ends(False, True),
    "bearer_wins": bearer_wins,
    "signature_unchecked": lambda: refusals.test_a_signature("s", True, 401),
    "admin_needs_no_scope": refusals.test_scopes,
    "audit_of_any_org": lambda: state.test_a_request_is_on_record(False),
    "metrics_need_key": public_paths,
    "health_needs_key": public_paths,
    "ready_without_backend": not_ready,
    "body_limit_off_by_one": lambda: refusals.test_the_exact_limit_of_a_body(0, 200, False),
    "bad_json_500": unknown_json,
    "model_unchecked": missing("model"),
    "messages_unchecked": missing("messages"),
    "prompt_unchecked": lambda: refusals.test_a_prompt("", 400),
    "prompt_one_text": lambda: refusals.test_a_prompt(["a", "b"], 200),
    "prompt_list_500": lambda: refusals.test_a_prompt(["a", "b"], 200),
    "health_word": told_healthy,
    "limit_unread": no_decisions,
    "unknown_model_500": refusals.test_an_unknown_model,
    "wrong_method_404": method,
    "no_allow_header": method,
    "limit_racy": limits.test_a_burst_admits_exactly_what_is_allowed,
    "limit_starves": starved,
    "limit_never_refills": starved,
    "remaining_negative": limits.test_a_burst_admits_exactly_what_is_allowed,
    "retry_after_zero": limits.test_a_burst_admits_exactly_what_is_allowed,
    "limits_shared": two_keys_alike,
    "budget_unchecked": lambda: limits.test_a_budget_ends(False, False),
    "budget_not_counted": lambda: limits.test_a_budget_ends(False, False),
    "budget_ignored_in_streams": lambda: limits.test_a_budget_ends(True, False),
    "overload_unlimited": busy,
    "planner_always_holds": lambda: decisions.test_advice(8, 1, "scale_up"),
    "weights_ignored": failover.test_weights,
    "heaviest_only": failover.test_weights,
    "failover_missing": lambda: failover.test_another_one_answers({"status": 500}, False),
    "unknown_5xx_forwarded": lambda: failover.test_another_one_answers({"status": 529}, False),
    "degraded_still_used": failover.test_degraded_by_an_operator,
    "degrade_forgotten": failover.test_degraded_by_an_operator,
    "affinity_ignored": failover.test_a_conversation_stays_where_it_is_cached,
    "stream_buffered": streams.test_chunks_are_not_held_back,
    "stream_done_invented": lambda: streams.test_a_backend_that_dies_in_the_middle(True),
    "interrupted_stream_open": lambda: streams.test_a_backend_that_dies_in_the_middle(True),
    "stream_cut_silently": lambda: streams.test_a_backend_that_dies_in_the_middle(True),
    "failover_after_bytes": lambda: streams.test_a_backend_that_dies_in_the_middle(True),
    "migration_repeats": migrates,
    "disconnect_ignored": lambda: streams.test_a_disconnect_ends_the_work_of_the_backend(True),
    "drops_stream_fields": rich_deltas,
    "usage_chunk_shown": lambda: streams.test_a_stream_is_passed_on(None),
    "usage_chunk_lost": lambda: streams.test_a_stream_is_passed_on(streams.USAGE),
    "replay_runs_again": idempotency_cache,
    "replay_across_keys": idempotency_cache,
    "duplicates_not_held": state.test_duplicates_wait_for_the_first,
    "audit_missing": lambda: state.test_a_request_is_on_record(False),
    "audit_without_tokens": lambda: state.test_a_request_is_on_record(False),
    "weightless_used": crowds.test_a_weight_of_zero_gets_no_requests,
    "models_of_first": failover.test_the_models_of_all,
    "model_anywhere": refusals.test_an_unknown_model,
    "long_beginnings_forgotten": lambda: decisions.test_a_long_beginning_is_remembered(5000, "x"),
    "affinity_for_all": failover.test_a_conversation_stays_where_it_is_cached,
    "affinity_without_failover": crowds.test_the_preferred_backend_may_fail,
    "developer_rejected": developers,
    "down_for_good": crowds.test_a_recovered_backend_is_used_again,
    "any_scope_generates": crowds.test_a_key_of_an_operator_generates_nothing,
    "prompts_lose_members": headers.test_a_plain_completion_reaches_the_backend_whole,
    "migration_loses_spaces": migrates,
    "migration_counts_a_part": migrates_with_usage,
    "keys_passed_on": headers.test_no_backend_gets_a_key,
    "hop_headers_passed_on": headers.test_headers_of_one_connection_stay_on_it,
    "packed_untold": lambda: headers.test_content_encoding_matches_the_body("gzip"),
    "retry_after_lost": headers.test_retry_after_is_forwarded,
    "options_forwarded": lambda: not_forwarded("OPTIONS"),
    "head_forwarded": lambda: not_forwarded("HEAD"),
    "head_fails": lambda: headers.test_methods_without_a_body("HEAD", "/health", 200),
    "backend_gets_other_id": lambda: refusals.test_request_ids("abc-1", True),
    "errors_without_id": stranger,
    "any_id_taken": lambda: refusals.test_request_ids("a b", False),
    "places_lost_by_streams": lambda: streams.test_a_disconnect_ends_the_work_of_the_backend(True),
    "places_lost_by_errors": crowds.test_a_failure_of_all_backends_releases_the_slot,
    "overload_untold": limits.test_requests_beyond_the_limit_are_rejected,
    "slow_reader_stops_all": crowds.test_a_slow_client_stops_its_backend_and_no_other_request,
    "stream_poured": crowds.test_a_slow_client_stops_its_backend_and_no_other_request,
    "reply_unbounded": crowds.test_an_answer_without_an_end_is_given_up,
    "streams_end_at_once": crowds.test_running_requests_finish_at_shutdown,
    "numbers_stand_still": crowds.test_numbers_count_and_name_nothing,
    "refusals_served": crowds.test_numbers_count_and_name_nothing,
    "numbers_name_paths": crowds.test_numbers_count_and_name_nothing,
    "request_id_made_anew": lambda: refusals.test_request_ids("abc-1", True),
}
WITH_A_FOLDER = {
    "served_without_state": state.test_the_store_fails_and_recovers,
    "state_lost_for_good": state.test_the_store_fails_and_recovers,
}
