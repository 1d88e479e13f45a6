"""Makes wheels of what is installed in an environment, so that it can be made again without an index.

usage: PYTHON -I -S keep_wheels.py ENVIRONMENT WHEELS LIST [FOLDER], with the Python that the environment was made with

WHEELS gets one wheel for each package, named by its content, so that environments share those that are alike. LIST names
them with their hashes, written last: {"wheels": [{"file": name, "sha256": hex}, ...]}. FOLDER, which exists already, gets
the wheels and the list, as links where the file system allows it. What is there already is not made again; one process at
a time works in WHEELS. Nothing is compressed, which would take twenty times the CPU.

No package's code runs. A file that is not as the installer has recorded it means no list, for a wheel is what was locked.
"""

import base64
import fcntl
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import sys
import zipfile

# Of one installation, and no part of the package.
INSTALLED = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json", "uv_build.json"}
LOW_PRIORITY = 10


def digest_of(data):
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode("ascii")


def escaped(name):
    return re.sub(r"[^\w.]+", "_", name)


def tag_of(distribution):
    """Such as `cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64`, all its tags in one."""
    tags = re.findall(r"^Tag: *(\S+)-(\S+)-(\S+) *$", distribution.read_text("WHEEL") or "", re.MULTILINE)
    parts = [".".join(dict.fromkeys(part)) for part in zip(*tags)]
    return "-".join(parts) if parts else "py3-none-any"


class NotAsInstalled(Exception):
    pass


def members_of(distribution, site, prefix):
    """(its name in the wheel, its content, its mode) of each file; the installer makes the starters of commands itself."""
    for name, file, place in _named(distribution, site, prefix):
        with open(place, "rb") as opened:
            data = opened.read()
        if file.hash is not None and file.hash.mode == "sha256" and digest_of(data) != f"sha256={file.hash.value}":
            raise NotAsInstalled(place)
        if ".data/scripts/" in name and data.startswith(b"#!") and b"python" in data.split(b"\n", 1)[0]:
            data = b"#!python\n" + data.split(b"\n", 1)[1]
        yield name, data, os.stat(place).st_mode


def _named(distribution, site, prefix):
    stem = f"{escaped(distribution.metadata['Name'])}-{escaped(distribution.version)}"
    starters = {point.name for point in distribution.entry_points if point.group in ("console_scripts", "gui_scripts")}
    for file in distribution.files or []:
        path, place = str(file), os.path.normpath(os.path.join(site, str(file)))
        if path.endswith(".pyc") or not os.path.isfile(place):
            continue
        if not path.startswith(".."):
            if not (".dist-info/" in path and os.path.basename(path) in INSTALLED):
                yield path, file, place
        elif os.path.basename(os.path.dirname(place)) in ("bin", "Scripts"):
            if os.path.basename(place) not in starters:
                yield f"{stem}.data/scripts/{os.path.basename(place)}", file, place
        else:
            yield f"{stem}.data/data/{os.path.relpath(place, prefix)}", file, place


def record_of(distribution):
    """What the installer has recorded, without what differs from one environment to the next."""
    lines = (distribution.read_text("RECORD") or "").splitlines()
    own = [line for line in lines if not line.startswith("..") and ".pyc," not in line]
    return sorted(line for line in own if os.path.basename(line.split(",")[0]) not in INSTALLED)


def wheel_of(distribution, site, prefix, wheels):
    content = hashlib.sha256("\n".join(record_of(distribution)).encode("utf-8")).hexdigest()[:16]
    name, version = escaped(distribution.metadata["Name"]), escaped(distribution.version)
    wheel = f"{name}-{version}-0{content}-{tag_of(distribution)}.whl"
    if os.path.exists(os.path.join(wheels, wheel)):
        return wheel
    scratch = os.path.join(wheels, f".{wheel}.{os.getpid()}")
    rows = []
    with zipfile.ZipFile(scratch, "w", zipfile.ZIP_STORED) as archive:
        for member, data, mode in members_of(distribution, site, prefix):
            info = zipfile.ZipInfo(member)
            info.compress_type = zipfile.ZIP_STORED
            info.external_attr = (mode & 0xFFFF) << 16
            archive.writestr(info, data)
            rows.append((member, digest_of(data), len(data)))
        index = next(member.split("/")[0] for member, _, _ in rows if member.endswith(".dist-info/METADATA"))
        lines = [",".join(_quoted(value) for value in row) for row in [*rows, (f"{index}/RECORD", "", "")]]
        archive.writestr(zipfile.ZipInfo(f"{index}/RECORD"), "\n".join(lines) + "\n")
    os.replace(scratch, os.path.join(wheels, wheel))
    return wheel


def _quoted(value):
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\n]', text) else text


def linked(source, target):
    if os.path.exists(target) and (os.path.samefile(source, target) or content_of(source) == content_of(target)):
        return
    scratch = f"{target}.{os.getpid()}"
    try:
        os.link(source, scratch)
    except OSError:
        shutil.copyfile(source, scratch)
    os.replace(scratch, target)


def content_of(path):
    content = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            content.update(block)
    return content.hexdigest()


def made(environment, wheels, listed):
    """The names of the wheels."""
    if os.path.exists(listed):
        with open(listed, encoding="utf-8") as file:
            names = [one["file"] for one in json.load(file)["wheels"]]
        if all(os.path.exists(os.path.join(wheels, name)) for name in names):
            return names
    site = os.path.join(environment, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
    found = importlib.metadata.distributions(path=[site])
    names = sorted(wheel_of(one, site, environment, wheels) for one in found)
    hashes = [{"file": name, "sha256": content_of(os.path.join(wheels, name))} for name in names]
    scratch = f"{listed}.{os.getpid()}"
    with open(scratch, "w", encoding="utf-8") as file:
        json.dump({"wheels": hashes}, file)
    os.replace(scratch, listed)
    return names


def main():
    environment, wheels, listed, *folders = sys.argv[1:]
    os.nice(LOW_PRIORITY)
    os.makedirs(wheels, exist_ok=True)
    with open(os.path.join(wheels, ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        names = made(os.path.realpath(environment), wheels, listed)
    for folder in folders:
        for name in names:
            linked(os.path.join(wheels, name), os.path.join(folder, name))
        linked(listed, os.path.join(folder, os.path.basename(listed)))


if __name__ == "__main__":
    main()
