"""The results of the routed and the leased dialect in the words of the others."""

from collections.abc import Mapping
from typing import Any

STATUS = {"success": "COMPLETED", "failure": "ERROR", "cancelled": "ERROR"}


def completion_of(body: object) -> Any:
    """A completion of the routed dialect in the words of the others; `said_status` keeps its own."""
    if not isinstance(body, dict):
        return body
    found = body.get("extra_fields")
    extra: dict[str, object] = found if isinstance(found, dict) else {}
    category = {} if body.get("err_category") is None else {"error_category": body["err_category"]}
    return {
        "rollout_id": body.get("rollout_id"),
        "said_status": body.get("status"),
        "status": STATUS.get(str(body.get("status")), body.get("status")),
        "error_message": body.get("err_message"),
        "finish_reason": extra.get("finish_reason"),
        "extra_fields": {**extra, **category},
    }


def leased_result_of(body: Mapping[str, object]) -> dict[str, object]:
    """A result of the leased dialect in the words of the others."""
    sample = body.get("sample")
    extra = sample.get("extra_fields") if isinstance(sample, dict) else None
    category = {} if body.get("err_category") is None else {"error_category": body["err_category"]}
    shown = sample_of(body) if body.get("status") == "success" else {}
    return {
        "rollout_id": body.get("rollout_id"),
        "said_status": body.get("status"),
        "status": STATUS.get(str(body.get("status")), body.get("status")),
        "error_message": body.get("err_message"),
        "finish_reason": extra.get("finish_reason") if isinstance(extra, dict) else None,
        "extra_fields": category,
        "sample": sample,
        **shown,
    }


def sample_of(graded: Mapping[str, object]) -> dict[str, object]:
    """What a graded sample shows of the rollout: its messages, metrics and reward."""
    sample = graded.get("sample")
    if not isinstance(sample, dict):
        return {}
    return {"final_messages": sample.get("messages"), "metrics": sample.get("metrics"), "reward": sample.get("reward")}
