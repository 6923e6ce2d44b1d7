"""What every C compiler sees: warnings, symbols, headers, and other models than the small one."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from small_module import LABELS, NAME, small_library

from tvm_embbert.codegen.names import Names, identifier
from tvm_embbert.errors import UnsupportedOperatorError, UsageError

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-pedantic")
CLANG = next(filter(shutil.which, ("clang-16", "clang")), "clang-16")
COMPILERS = {
    "gcc": ("gcc", "-O2"),
    "gcc-O0": ("gcc", "-O0"),
    "clang": (CLANG, "-O2"),
}
ARM = ("arm-none-eabi-gcc", "-O2", "-mthumb", "-msoft-float")
ARM_COMPILERS = {"cortex-m0": (*ARM, "-mcpu=cortex-m0"), "cortex-m3": (*ARM, "-mcpu=cortex-m3")}
ALL_COMPILERS = [
    *(pytest.param(c, id=name, marks=pytest.mark.host) for name, c in COMPILERS.items()),
    *(pytest.param(c, id=name, marks=pytest.mark.emulator) for name, c in ARM_COMPILERS.items()),
]
ALLOWED = (
    r"mem(cpy|set|move)|__aeabi_(u?idiv(mod)?|u?ldivmod|lmul|ll?sl|ll?sr|lasr|mem\w+)"
    r"|_GLOBAL_OFFSET_TABLE_|__gnu_thumb1_case_\w+"
)
"""What the library may use of the compiler's own: integer arithmetic and copies."""
STANDARD_HEADERS = {"stdint.h", "stddef.h"}


def compile_all(library, folder, compiler=("gcc", "-O2")):
    """Compile a library's sources strictly; returns the objects."""
    library.write(folder)
    objects = []
    for path in sorted((folder / "src").glob("*.c")):
        objects.append(str(path.with_suffix(".o")))
        command = [
            *compiler,
            *STRICT,
            f"-I{folder / 'include'}",
            "-c",
            str(path),
            "-o",
            objects[-1],
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[:3000]
    return objects


def symbols(objects):
    """Return (kind, name) of every symbol, kinds as nm prints them."""
    done = subprocess.run(["nm", "-P", *objects], capture_output=True, text=True, check=True)
    rows = (line.split() for line in done.stdout.splitlines() if not line.endswith(":"))
    return [(row[1], row[0]) for row in rows]


@pytest.mark.parametrize("compiler", ALL_COMPILERS)
def test_compiles_without_a_warning_and_needs_no_library(library, tmp_path, compiler):
    found = symbols(compile_all(library, tmp_path, compiler))
    exported = {name for kind, name in found if kind in "TDBRVWC"}
    assert exported
    assert all(name.startswith(f"tvmgen_{NAME}_") for name in exported)
    needed = {name for kind, name in found if kind == "U"} - exported
    assert not {name for name in needed if not re.fullmatch(ALLOWED, name)}


@pytest.mark.parametrize("compiler", ALL_COMPILERS)
def test_library_has_no_memory_of_its_own(library, tmp_path, compiler):
    """No variable that is written: calls cannot disturb each other."""
    kinds = {kind for kind, _ in symbols(compile_all(library, tmp_path, compiler))}
    assert not kinds & set("DdBbCSsGg")


@pytest.mark.host
def test_header_compiles_alone_and_as_cpp(folder, tmp_path):
    path = tmp_path / "user.c"
    path.write_text(f'#include "tvmgen_{NAME}.h"\n#include "tvmgen_{NAME}.h"\nint x;\n')
    flags = [
        "-Wall",
        "-Wextra",
        "-Werror",
        "-pedantic",
        f"-I{folder / 'include'}",
        "-c",
        "-o",
        "/dev/null",
    ]
    for language in ("c", "c++"):
        subprocess.run([CLANG, "-x", language, *flags, str(path)], check=True)


def test_no_foreign_header(library):
    included = {
        h for text in library.files.values() for h in re.findall(r'#include\s+[<"](.+?)[>"]', text)
    }
    own = {name.rpartition("/")[2] for name in library.files}
    assert included <= STANDARD_HEADERS | own
    assert STANDARD_HEADERS & included


def test_no_floating_point_and_no_foreign_word(library):
    code = "\n".join(re.sub(r"/\*.*?\*/", "", t, flags=re.S) for t in library.files.values())
    words = set(re.findall(r"\w+", code))
    assert not words & {"float", "double", "malloc", "free", "printf", "static_cast", "TVMValue"}
    assert not re.search(r"\d\.\d", code)


@pytest.mark.host
@pytest.mark.parametrize(
    "label",
    ["a */ b", "a /* b", 'quote"', "back\\slash\\", "line\nbreak", "Grüße", "{brace}", "??/"],
)
def test_any_label_may_stand_in_the_header(tmp_path, label):
    compile_all(small_library(labels=(label, *LABELS[1:])), tmp_path)


@pytest.mark.host
@pytest.mark.parametrize(
    "name", ["n", "memory", "length", "logits", "int", "output", "workspace", "Vocabulary", "a:0"]
)
def test_any_name_of_the_input_compiles(tmp_path, name):
    compile_all(small_library(input_name=name), tmp_path)


@pytest.mark.host
def test_model_without_padding_compiles(tmp_path):
    compile_all(small_library(pad=None), tmp_path)


def test_result_of_varying_length_is_refused():
    """The caller's logits have a fixed number; more would be written past their end."""
    with pytest.raises(UnsupportedOperatorError):
        small_library(pad=None, all_rows=True)


@pytest.mark.parametrize("name", ["", "Upper", "1st", "a-b", "a b", "ü", "a" * 42, "a\n"])
def test_name_that_is_no_identifier(name):
    with pytest.raises(UsageError, match="cannot be the model's name"):
        Names(name)


@pytest.mark.parametrize(
    "text", ["EmbBERT-Q", "1st try", "a..b", "ünï", "__x__", "-", "x" * 60, ""]
)
def test_identifier_is_a_name(text):
    assert Names(identifier(text)).model == identifier(text)
