"""A session with a project's validation firmware, as the host holds it."""

from __future__ import annotations

import contextlib
from pathlib import Path

from host_build import ProgramLine

from tvm_embbert.measure.board_channel import BoardChannel
from tvm_embbert.measure.protocol import (
    FrameType,
    pack,
    pack_sentence,
    unpack_info,
    unpack_result,
    unpack_stack,
)
from tvm_embbert.measure.session import ids_array
from tvm_embbert.project.archive import ModelArchive

_TIMEOUT_S = 20.0


def check_serves(program: Path, archive: ModelArchive) -> None:
    """Ask a program that serves a model for all vectors, and for what it tells of itself."""
    with contextlib.closing(BoardChannel(ProgramLine(program))) as channel:
        assert channel.begin(_TIMEOUT_S).image == archive.number
        _check_info(channel, archive)
        for vector in archive.vectors:
            ids = ids_array(vector["ids"])
            kind, payload = channel.exchange(
                pack_sentence(FrameType.INFER, ids, len(ids)), _TIMEOUT_S
            )
            assert kind is FrameType.INFER
            result = unpack_result(payload)
            assert result.code == vector["code"]
            assert result.code != 0 or result.logits.tolist() == vector["logits"]
        _check_stack(channel)


def _check_info(channel: BoardChannel, archive: ModelArchive) -> None:
    _, payload = channel.exchange(pack(FrameType.INFO), _TIMEOUT_S)
    info = unpack_info(payload)
    assert info.max_length == archive.report["max_length"]
    assert info.arena_size == sum(pool["size"] for pool in archive.report["memory"]["pools"])


def _check_stack(channel: BoardChannel) -> None:
    _, payload = channel.exchange(pack(FrameType.INFO), _TIMEOUT_S)
    size = unpack_info(payload).stack_size
    _, payload = channel.exchange(pack(FrameType.STACK), _TIMEOUT_S)
    # This machine's frames are not the board's, but calls were made.
    assert 100 < unpack_stack(payload) <= size
