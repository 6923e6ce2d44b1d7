"""Made-up reports: a complete one, with two pools, loops and concessions, and the oldest form.

The figures belong together (sums are sums, no two buffers of a pool overlap unless one takes over
the other), but they are of no model and no device.
"""

from __future__ import annotations

from typing import Any

Report = dict[str, Any]

STEPS = [
    ("gather_0", "gather", "n"),
    ("linear_0", "linear", "n"),
    ("rms_norm_0", "rms_norm", "n"),
    ("attention_0", "attention", "n"),
    ("linear_1", "linear", "n"),
    ("linear_2", "linear", 1),
]
INSTRUCTIONS = (1_000, 400_000, 20_000, 900_000, 300_000, 50)

# name, pool, offset, size, first and last use, kind, whose memory it takes over
BUFFERS = [
    ("gather_0", "fast", 0, 4096, 0, 1, "whole", None),
    ("linear_0", "fast", 4096, 2048, 1, 2, "tile", None),
    ("rms_norm_0", "fast", 4096, 2048, 2, 3, "tile", "linear_0"),
    ("attention_0_scores", "fast", 6144, 512, 3, 3, "scratch", None),
    ("attention_0", "bulk", 0, 12288, 3, 4, "window", None),
    ("linear_1", "bulk", 12288, 8192, 4, 5, "whole", None),
]

# name, size, memory
CONSTANTS = [
    ("gather_0_table", 20_000, "flash"),
    ("linear_0_weight", 4_000, "flash"),
    ("linear_1_weight", 3_000, "dtcm"),
    ("linear_1_bias", 128, "flash"),
    ("attention_0_table", 256, "flash"),
    ("shared_table", 16, "flash"),
]


def oldest_report() -> Report:
    """Return a report with the fields that every report has, of one pool, not measured."""
    names = ("name", "pool", "offset", "size", "first_use", "last_use")
    buffers = [dict(zip(names, row, strict=False)) for row in BUFFERS if row[1] == "fast"]
    return {
        "target": {"name": "made-up", "description": "A made-up board", "core": "cortex-m4"},
        "model": {
            "name": "sample",
            "labels": ["yes", "no"],
            "vocabulary": 300,
            "logit_scale": 0.5,
        },
        "max_length": 32,
        "memory": {
            "ram": {"arena": 6656, "stack": None, "static": 344, "total": 7000, "budget": 100_000},
            "flash": {
                "weights": 27_400,
                "code": 2_500,
                "tokenizer": 0,
                "harness": 100,
                "total": 30_000,
                "budget": 120_000,
            },
            "source": "sections of the shared library",
            "arena_lower_bound": 6144,
            "arena_alignment": 16,
            "pools": [{"name": "fast", "size": 6656}],
            "buffers": buffers,
            "constants": [{"name": name, "size": size} for name, size, _ in CONSTANTS],
        },
        "instructions": {
            "per_inference": None,
            "length": None,
            "per_operator": [],
            "count_method": "not measured",
        },
        "accuracy": None,
        "schedules": [],
        "strategies": [_strategy(name, operator) for name, operator, _ in STEPS],
    }


def full_report() -> Report:
    """Return a report with every field."""
    report = oldest_report()
    report["steps"] = [{"name": n, "operator": o, "rows": r} for n, o, r in STEPS]
    report["loops"] = [{"first_step": 1, "last_step": 3, "tile_rows": 8}]
    report["concessions"] = [
        {
            "what": "linear_0 to attention_0 run in tiles",
            "ram_saved": 24_576,
            "instructions_added": 12_345,
            "measured": True,
        },
        {
            "what": "keys are kept whole",
            "ram_saved": 1_024,
            "instructions_added": 678,
            "measured": False,
        },
    ]
    report["instructions"] = _instructions()
    report["memory"].update(_memory())
    report["accuracy"] = {
        "rows": 700,
        "accuracy": {"float": 0.98, "reference": 0.9757, "image": 0.9757},
        "same_label_as_float": 0.99,
        "identical_rows": 700,
        "instructions": {"min": 1, "median": 2, "max": 3},
    }
    return report


def _memory() -> Report:
    names = ("name", "pool", "offset", "size", "first_use", "last_use", "kind", "shares")
    return {
        "ram": {
            "arena": 27_648,
            "stack": 4_096,
            "static": 256,
            "total": 32_000,
            "budget": 100_000,
        },
        "source": "map file of the linked image",
        "arena_lower_bound": 26_624,
        "pools": [
            {
                "name": "fast",
                "size": 6656,
                "lower_bound": 6144,
                "memory": "dtcm",
                "budget": 8192,
                "latency": 1,
            },
            {
                "name": "bulk",
                "size": 20_992,
                "lower_bound": 20_480,
                "memory": "sram",
                "budget": 65_536,
                "latency": 3,
            },
        ],
        "buffers": [dict(zip(names, row, strict=True)) for row in BUFFERS],
        "constants": [{"name": n, "size": s, "memory": m} for n, s, m in CONSTANTS],
        "planner": {"name": "hill_climb", "optimal": False, "bound": 26_624},
        "stack": {
            "bound": 1_480,
            "infer": 1_320,
            "path": [["main", 160], ["sample_infer", 320], ["attention_kernel_0", 1_000]],
        },
    }


def _instructions() -> Report:
    return {
        "per_inference": sum(INSTRUCTIONS) + 500,
        "length": 32,
        "per_operator": [
            {"name": name, "operator": operator, "instructions": count}
            for (name, operator, _), count in zip(STEPS, INSTRUCTIONS, strict=True)
        ],
        "count_method": "made up",
    }


def _strategy(name: str, operator: str) -> Report:
    return {
        "step": name,
        "operator": operator,
        "implementation": f"{operator}.portable",
        "kernel": f"{operator}_kernel_0",
        "reason": "the only one",
        "passed_over": {},
    }
