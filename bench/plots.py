"""Plots of the benchmark for the documentation: SVG, the same bytes for the same figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "tvm_embbert"
mpl.rcParams["font.size"] = 9

from matplotlib import pyplot as plt  # noqa: E402 - the backend is chosen first

Results = dict[str, Any]
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#000000")
"""Okabe and Ito's, which colour-blind readers can tell apart."""
NOTE = "instructions executed under emulation; not cycles, not silicon"


def draw(results: Results, peers: Results, folder: Path) -> None:
    """Write all plots into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _operators(results, folder / "operators.svg")
    _lengths(results, folder / "lengths.svg")
    _peers(results, peers, folder / "peers.svg")


def _save(figure: Any, axes: Any, path: Path) -> None:
    axes.set_xlabel(NOTE, fontsize=7, color="#555555")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)


def _operators(results: Results, path: Path) -> None:
    """Draw instructions per multiply-accumulate at 256 tokens, by operator, one bar a board."""
    names = sorted({o for r in results.values() for o in r["lengths"]["256"]["operators"]})
    figure, axes = plt.subplots(figsize=(7, 3.6))
    left = [0.0] * len(results)
    for number, name in enumerate(names):
        counts = [r["lengths"]["256"] for r in results.values()]
        share = [c["operators"].get(name, {}).get("instructions", 0) / c["macs"] for c in counts]
        colour = COLOURS[number % len(COLOURS)]
        axes.barh(list(results), share, left=left, label=name, color=colour)
        left = [a + b for a, b in zip(left, share, strict=True)]
    axes.set_title("Instructions per multiply-accumulate, 256 tokens")
    axes.legend(fontsize=7, frameon=False)
    axes.invert_yaxis()
    _save(figure, axes, path)


def _lengths(results: Results, path: Path) -> None:
    """Draw instructions against tokens, one line a board."""
    figure, axes = plt.subplots(figsize=(7, 3.6))
    for number, (board, result) in enumerate(results.items()):
        lengths = sorted(map(int, result["lengths"]))
        counts = [result["lengths"][str(n)]["instructions"] for n in lengths]
        colour = COLOURS[number % len(COLOURS)]
        axes.loglog(lengths, counts, marker="o", label=f"{board} ({result['core']})", color=colour)
    axes.set_xticks(lengths, [str(n) for n in lengths])
    axes.set_title("Instructions of an inference by tokens")
    axes.legend(fontsize=7, frameon=False)
    _save(figure, axes, path)


def _peers(results: Results, peers: Results, path: Path) -> None:
    """Draw instructions at 256 tokens beside those of others, one group a board."""
    others = [name for name in peers if name != "note"]
    boards = [b for b in results if all(b in peers[name] for name in others)]
    figure, axes = plt.subplots(figsize=(7, 3.2))
    for number, name in enumerate(["tvm_embbert", *others]):
        ours = name == "tvm_embbert"
        counts = [
            results[b]["lengths"]["256"]["instructions"] if ours else peers[name][b]["256"]
            for b in boards
        ]
        places = [i + 0.27 * (number - 1) for i in range(len(boards))]
        bars = axes.barh(places, [c / 1e6 for c in counts], 0.25, label=name, color=COLOURS[number])
        axes.bar_label(bars, fmt="%.1f", fontsize=7, padding=2)
    axes.set_yticks(range(len(boards)), [f"{b}\n({results[b]['core']})" for b in boards])
    axes.set_title("Million instructions, 256 tokens")
    axes.legend(fontsize=7, frameon=False)
    axes.invert_yaxis()
    _save(figure, axes, path)
