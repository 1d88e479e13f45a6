"""Tells which names the pickles below a folder import when they are loaded, without loading any.

usage: read_imports.py FOLDER

Prints {"pickles": [{"path": str, "imports": [str, ...], "problem": str | null}, ...]} as JSON, sorted. A pickle is known by
what it begins with, or by the ending of its name; those inside zip files (as torch, keras and numpy write) and compressed
ones are read too. `?` stands for a name that the pickle computes. A problem says why the rest of a file was not read.

exit code: 0, whatever lies in the folder
"""

import bz2
import gzip
import io
import json
import lzma
import os
import pickletools
import sys
import zipfile
import zlib

ENDINGS = (".pkl", ".pickle", ".p", ".joblib", ".pt", ".pth", ".dill", ".cloudpickle")
STRINGS = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE", "SHORT_BINSTRING", "BINSTRING", "STRING"}
PUT = {"PUT", "BINPUT", "LONG_BINPUT"}
GET = {"GET", "BINGET", "LONG_BINGET"}
MOST_BYTES = 1024**3
MOST_STEPS = 5_000_000
MOST_IMPORTS = 500


def imports_of(stream):
    """The imported names, and why the rest was not read, or None."""
    found, memo, pushed = set(), {}, []
    problem = None
    try:
        for steps, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            name = opcode.name
            if steps > MOST_STEPS or len(found) > MOST_IMPORTS:
                problem = "there is more of it than is read"
                break
            if name in STRINGS:
                pushed.append(str(argument))
            elif name == "MEMOIZE":
                memo[len(memo)] = pushed[-1] if pushed else None
            elif name in PUT:
                memo[argument] = pushed[-1] if pushed else None
            elif name in GET:
                pushed.append(memo.get(argument))
            elif name in ("GLOBAL", "INST"):
                found.add(str(argument).replace(" ", "."))
                pushed.clear()
            elif name == "STACK_GLOBAL":
                pair = pushed[-2:]
                found.add(".".join(pair) if len(pair) == 2 and None not in pair else "?")
                pushed.clear()
            elif name in ("EXT1", "EXT2", "EXT4"):
                found.add("?")
            elif name not in ("PROTO", "FRAME"):
                pushed.clear()
    except Exception as error:  # whatever the bytes are, they are told as what cannot be read
        problem = f"it cannot be read to its end: {type(error).__name__}"
    return sorted(found), problem


def opened(path):
    """The file, uncompressed where it is compressed."""
    with open(path, "rb") as file:
        begin = file.read(6)
    if begin[:2] == b"\x1f\x8b":
        return gzip.open(path, "rb")
    if begin[:3] == b"BZh":
        return bz2.open(path, "rb")
    if begin[:6] == b"\xfd7zXZ\x00":
        return lzma.open(path, "rb")
    if begin[:1] == b"\x78" and path.endswith(ENDINGS):
        with open(path, "rb") as file:
            return io.BytesIO(zlib.decompressobj().decompress(file.read(), MOST_BYTES))
    return open(path, "rb")


def is_pickle(begin, path):
    return (len(begin) > 1 and begin[0] == 0x80 and begin[1] <= 5) or path.endswith(ENDINGS)


def object_array(begin):
    """Whether numpy would unpickle what follows the header."""
    return begin[:6] == b"\x93NUMPY" and b"|O" in begin[:200]


def entry(path, stream):
    begin = stream.read(256)
    stream.seek(0)
    if object_array(begin):
        stream.seek(len(begin[: begin.index(b"\n") + 1]))
    elif not is_pickle(begin, path):
        return []
    found, problem = imports_of(stream)
    return [{"path": path, "imports": found, "problem": problem}]


def entries(absolute, path):
    if zipfile.is_zipfile(absolute):
        with zipfile.ZipFile(absolute) as archive:
            for member in archive.infolist():
                with archive.open(member) as stream:
                    begin = stream.read(256)
                if not is_pickle(begin, member.filename) and not object_array(begin):
                    continue
                if member.file_size > MOST_BYTES:
                    raise ValueError(f"{member.filename} is too large")
                yield from entry(f"{path}/{member.filename}", io.BytesIO(archive.read(member)))
        return
    with opened(absolute) as stream:
        yield from entry(path, stream)


def main():
    folder, pickles = sys.argv[1], []
    for parent, _, names in os.walk(folder):
        for name in names:
            absolute = os.path.join(parent, name)
            path = os.path.relpath(absolute, folder).replace(os.sep, "/")
            try:
                pickles.extend(entries(absolute, path))
            except Exception as error:  # a damaged archive, for one
                pickles.append({"path": path, "imports": [], "problem": f"it cannot be opened: {type(error).__name__}"})
    print(json.dumps({"pickles": sorted(pickles, key=lambda one: one["path"])}))


main()
