"""Packets on a serial line: both sides say the same, and find each other again after any harm."""

from __future__ import annotations

import ctypes
import random
import re
import select
import subprocess
import time
import zlib
from pathlib import Path

import pytest
from serial_harm import Harm

from tvm_embbert.errors import DeviceError
from tvm_embbert.measure import board_channel, packet
from tvm_embbert.measure.board_channel import BoardChannel
from tvm_embbert.measure.packet import MAX_DATA, Packet, PacketKind, Receiver, Role, decode, encode
from tvm_embbert.measure.protocol import FrameType, pack
from tvm_embbert.measure.sources import RUNTIME
from tvm_embbert.measure.toolchain import compile_sources, host_compiler, link

ECHO = Path(__file__).parent / "serial_echo"
INCLUDES = (f"-I{RUNTIME / 'include'}", f"-I{ECHO}")
# POSIX beside C99: read, poll and execl.
FLAGS = (*INCLUDES, "-D_POSIX_C_SOURCE=200809L")


def random_packets(seed: int, count: int) -> list[Packet]:
    """Packets of all sizes, some full of zeros, some without any."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        size = rng.choice([0, 1, MAX_DATA, rng.randrange(MAX_DATA + 1)])
        values = rng.choice([[0], [1], range(256), [0, 255]])
        data = bytes(rng.choices(values, k=size))
        found.append(Packet(rng.randrange(256), rng.randrange(1 << 16), number, data))
    return found


PACKETS = random_packets(1, 200)


def noisy_stream(seed: int) -> bytes:
    harm = Harm(0.3, seed)
    parts = (data for one in random_packets(seed, 60) for _, data in harm.apply(encode(one)))
    return b"".join(parts)


def test_constants_as_in_c() -> None:
    text = (RUNTIME / "include" / "harness_link.h").read_text()
    numbers = {name: int(n) for name, n in re.findall(r"#define LINK_(\w+) (\d+)u", text)}
    assert numbers["VERSION"] == packet.VERSION
    assert numbers["MAX_DATA"] == MAX_DATA
    assert numbers["ANSWER"] == packet.ANSWER
    assert numbers["HEADER_SIZE"] + MAX_DATA + numbers["CHECKSUM_SIZE"] == packet.MAX_PACKET
    for kind in PacketKind:
        assert numbers[kind.name] == kind
    for role in Role:
        assert numbers[f"ROLE_{role.name}"] == role


def test_a_packet_survives_the_coding() -> None:
    for one in PACKETS:
        wire = encode(one)
        assert wire[0] == wire[-1] == 0
        assert 0 not in wire[1:-1]
        assert decode(wire[1:-1]) == one


def test_damage_is_found() -> None:
    rng = random.Random(2)
    for one in PACKETS:
        wire = bytearray(encode(one))
        wire[rng.randrange(1, len(wire) - 1)] ^= rng.randrange(1, 256)
        assert list(Receiver().feed(bytes(wire))) == []


@pytest.mark.parametrize("garbage", [b"", b"\1\2\3", b"\0" * 9, b"\xff" * 5000, bytes(range(256))])
def test_the_next_packet_is_found_behind_garbage(garbage: bytes) -> None:
    receiver = Receiver()
    for one in PACKETS[:20]:
        assert list(receiver.feed(garbage + encode(one))) == [one]


def test_packets_in_pieces() -> None:
    stream = b"".join(map(encode, PACKETS))
    receiver = Receiver()
    found = [one for i in range(0, len(stream), 7) for one in receiver.feed(stream[i : i + 7])]
    assert found == PACKETS


def compile_c(folder: Path, name: str, sources: list[Path], shared: bool) -> Path:
    compiler = host_compiler(("-fPIC",))
    objects = compile_sources(compiler, sources, folder, "objects", FLAGS)
    link(compiler, objects, folder, ["-shared", "-o", name] if shared else ["-o", name])
    return folder / name


@pytest.fixture(scope="module")
def codec(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("codec")
    sources = [ECHO / "codec.c", RUNTIME / "harness_link.c"]
    library = ctypes.CDLL(str(compile_c(folder, "codec.so", sources, True)))
    library.link_checksum.restype = ctypes.c_uint32
    library.codec_send.restype = library.codec_receive.restype = ctypes.c_size_t
    return library


@pytest.mark.host
def test_c_checksum(codec: ctypes.CDLL) -> None:
    for one in PACKETS:
        assert codec.link_checksum(one.data, len(one.data)) == zlib.crc32(one.data)


@pytest.mark.host
def test_c_sends_the_same_bytes(codec: ctypes.CDLL) -> None:
    for one in PACKETS:
        fields = (ctypes.c_uint32 * 4)(one.version, one.kind, one.session, one.sequence)
        wire = ctypes.create_string_buffer(300)
        size = codec.codec_send(wire, fields, one.data, len(one.data))
        assert wire.raw[:size] == encode(one)


@pytest.mark.host
@pytest.mark.parametrize("seed", range(40))
def test_c_finds_the_same_packets_in_noise(codec: ctypes.CDLL, seed: int) -> None:
    stream = noisy_stream(seed)
    expected = list(Receiver().feed(stream))
    fields, sizes = (ctypes.c_uint32 * 400)(), (ctypes.c_size_t * 100)()
    data = ctypes.create_string_buffer(len(stream))
    count = codec.codec_receive(stream, len(stream), fields, data, sizes)
    found, start = [], 0
    for i in range(count):
        version, kind, session, sequence = fields[4 * i : 4 * i + 4]
        end = start + sizes[i]
        found.append(Packet(kind, session, sequence, data.raw[start:end], version))
        start = end
    assert found == expected
    assert len(found) > 30


class HarmedLine:
    """A line to a process, with harm in both directions."""

    name, baud = "process", 10_000_000

    def __init__(self, program: Path, harm: Harm, echo: bool = False) -> None:
        self._harm = harm
        self._echo = echo
        self._child = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._child.stdin
        assert self._child.stdout
        self._input, self._output = self._child.stdin, self._child.stdout
        self._rest = self._echoed = b""
        self._late: dict[str, list[tuple[float, bytes]]] = {"write": [], "read": []}

    def write(self, data: bytes) -> None:
        self._echoed += data if self._echo else b""
        self._send(data)

    def _send(self, frame: bytes) -> None:
        for part in self._harmed("write", frame):
            self._input.write(part)
        self._input.flush()

    def read(self) -> bytes:
        self._send(b"")
        echoed, self._echoed = self._echoed, b""
        if not select.select([self._output], [], [], 0.01)[0]:
            return echoed + b"".join(self._harmed("read", b""))
        *frames, self._rest = (self._rest + self._output.read1()).split(b"\0")
        parts = [part for f in frames if f for part in self._harmed("read", b"\0" + f + b"\0")]
        return echoed + b"".join(parts)

    def _harmed(self, direction: str, frame: bytes) -> list[bytes]:
        """Return what goes on now: what is left of the frame, and what was delayed."""
        now = time.monotonic()
        parts = [(now + delay, d) for delay, d in self._harm.apply(frame)] if frame else []
        waiting = self._late[direction] + parts
        self._late[direction] = [(when, d) for when, d in waiting if when > now]
        return [d for when, d in waiting if when <= now]

    def close(self) -> None:
        self._input.close()
        self._child.wait(5)
        self._output.close()


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("echo")
    sources = [ECHO / "echo.c", RUNTIME / "harness_link.c", RUNTIME / "port_uart.c"]
    return compile_c(folder, "echo", sources, False)


@pytest.mark.host
@pytest.mark.parametrize("share", [0.0, 0.1, 0.2])
def test_requests_are_served_once_on_a_bad_line(echo: Path, share: float) -> None:
    rng = random.Random(3)
    line = HarmedLine(echo, Harm(share, 4, 0.03))
    channel = BoardChannel(line)
    channel.begin(10.0)
    for number in range(1, 31):
        payload = rng.randbytes(rng.choice([0, 1, 228, 229, 1044, 5000]))
        kind, answer = channel.exchange(pack(FrameType.INFER, payload), 30.0)
        assert (kind, answer) == (FrameType.INFER, number.to_bytes(4, "little") + payload)
    assert channel.repeats >= 10 * share
    channel.close()


@pytest.mark.host
def test_an_echo_is_no_answer(echo: Path) -> None:
    channel = BoardChannel(HarmedLine(echo, Harm(), echo=True))
    channel.begin(10.0)
    for number in (1, 2, 3):
        answer = channel.exchange(pack(FrameType.INFER, b"again"), 10.0)[1]
        assert answer == number.to_bytes(4, "little") + b"again"
    channel.close()


@pytest.mark.host
def test_a_new_session_starts_the_board_again(echo: Path) -> None:
    channel = BoardChannel(HarmedLine(echo, Harm()))
    for _ in range(3):
        channel.begin(10.0)
        answers = [channel.exchange(pack(FrameType.INFO), 10.0)[1] for _ in range(2)]
        assert answers == [b"\1\0\0\0", b"\2\0\0\0"]
    channel.close()


@pytest.mark.host
def test_a_request_left_halfway_does_not_disturb_the_next_session(echo: Path) -> None:
    channel = BoardChannel(HarmedLine(echo, Harm()))
    channel.begin(10.0)
    channel.post(pack(FrameType.INFER, bytes(1000))[:300], 10.0)
    with pytest.raises(DeviceError, match=r"did not answer within 0\.3 s"):
        channel.exchange(b"", 0.3)
    channel.begin(10.0)
    assert channel.exchange(pack(FrameType.INFO), 10.0)[1] == b"\1\0\0\0"
    channel.close()


@pytest.mark.host
def test_other_versions_are_refused(echo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = BoardChannel(HarmedLine(echo, Harm()))
    monkeypatch.setattr(packet, "VERSION", 2)
    with pytest.raises(DeviceError, match="version 1 of the packets, this program version 2"):
        channel.begin(10.0)
    monkeypatch.undo()
    monkeypatch.setattr(board_channel, "HARNESS_VERSION", 7)
    with pytest.raises(DeviceError, match="version 2 of the requests, this program version 7"):
        channel.begin(10.0)
    channel.close()


@pytest.mark.host
def test_a_reset_during_a_session_is_told(echo: Path) -> None:
    channel = BoardChannel(HarmedLine(echo, Harm()))
    channel.begin(10.0)
    channel._session ^= 0x5555
    with pytest.raises(DeviceError, match="reset during the session"):
        channel.exchange(pack(FrameType.INFO), 10.0)
    channel.close()
