"""The body of `GET /health`."""

from typing import Any

from rollout_conformance.rollout_server.worker.worker import Worker, memory_bytes


def body(worker: Worker) -> dict[str, Any]:
    return {
        "status": worker.status,
        "worker_id": worker.settings.id,
        "stub": worker.settings.stub,
        "uptime_seconds": round(worker.metrics.uptime(), 3),
        **model(worker),
        **jobs(worker),
    }


def model(worker: Worker) -> dict[str, Any]:
    loaded = worker.scheduler.model if worker.scheduler else None
    return {
        "model": loaded.name if loaded else None,
        "resident": loaded is not None,
        "quant_kind": "F32",
        "vram_bytes_used": memory_bytes(),
        "tokenizer_kind": "hf-json",
        "vocab_size": worker.vocabulary.size,
        "context_length": loaded.context_length if loaded else None,
    }


def jobs(worker: Worker) -> dict[str, Any]:
    scheduler = worker.scheduler
    return {
        "slots": worker.settings.slots,
        "running": len(scheduler.running) if scheduler else 0,
        "waiting": len(scheduler.waiting) if scheduler else 0,
    }
