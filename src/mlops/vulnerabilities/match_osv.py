"""Says which known vulnerabilities packages have, by entries in the format of OSV, as JSON.

usage: match_osv.py PLACE PACKAGES_JSON_FILE

PLACE is a folder or a zip with entries as `*.json`, one each, as osv.dev exports them, or a file with one entry or a list of
them. PACKAGES: [{"name": normalized name, "version": text}, ...].

The answer: {"entries": all that were read, "unread": those that could not be, "as_of": when the newest was modified,
             "found": [{"ids": [...], "package", "version", "score": number | null, "severity", "summary", "fixed": [...]}, ...]}
            {"problem": why PLACE cannot be read}

https://ossf.github.io/osv-schema/: an entry affects a version that it lists, and one in a range of its ecosystem. Versions are
compared by PEP 440, without their local part, which no entry names.
"""

import json
import os
import re
import sys
import zipfile

from cvss import CVSS3, CVSS4
from cvss.exceptions import CVSSError
from packaging.version import InvalidVersion, Version

NAMES = re.compile(rb'"name"\s*:\s*"([^"\\]{1,200})"')
MODIFIED = re.compile(rb'"modified"\s*:\s*"([^"\\]{1,40})"')
LEVELS = {"LOW": "low", "MODERATE": "medium", "MEDIUM": "medium", "HIGH": "high", "CRITICAL": "critical"}
MOST_ENTRY_BYTES = 64 * 1024**2
MOST_FILE_BYTES = 2 * 1024**3


class Unreadable(Exception):
    pass


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def public(text):
    return Version(Version(text).public)


def texts_in(place):
    """The bytes of each JSON file there."""
    if os.path.isdir(place):
        for parent, _, names in os.walk(place):
            for name in sorted(names):
                if name.endswith(".json"):
                    path = os.path.join(parent, name)
                    yield bounded(path) if os.path.getsize(path) <= MOST_ENTRY_BYTES else None
    elif zipfile.is_zipfile(place):
        with zipfile.ZipFile(place) as archive:
            for member in archive.infolist():
                if member.filename.endswith(".json"):
                    yield archive.read(member) if member.file_size <= MOST_ENTRY_BYTES else None
    else:
        if os.path.getsize(place) > MOST_FILE_BYTES:
            raise Unreadable(f"it has more than {MOST_FILE_BYTES} bytes")
        yield from split(bounded(place))


def bounded(path):
    with open(path, "rb") as file:
        return file.read()


def split(data):
    """A file with a list is as many entries as the list has."""
    try:
        parsed = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is no JSON: {error}") from error
    for one in parsed if isinstance(parsed, list) else [parsed]:
        yield json.dumps(one).encode()


def affected(entry, name, version):
    """Whether this version is affected, and the versions that mend it."""
    is_affected, fixed = False, set()
    for one in entry.get("affected", []):
        package = one.get("package", {})
        if package.get("ecosystem", "").split(":")[0] != "PyPI" or normalized(package.get("name", "")) != name:
            continue
        listed = any(same(text, version) for text in one.get("versions", []))
        ranges = [each for each in one.get("ranges", []) if each.get("type") == "ECOSYSTEM"]
        if listed or any(in_range(each.get("events", []), version) for each in ranges):
            is_affected = True
            events = (event for each in ranges for event in each.get("events", []))
            fixed |= {event["fixed"] for event in events if "fixed" in event and not below(event["fixed"], version)}
    return is_affected, fixed


def same(text, version):
    try:
        return public(text) == version
    except InvalidVersion:
        return False


def below(text, version):
    try:
        return public(text) <= version
    except InvalidVersion:
        return True


def in_range(events, version):
    """OSV's evaluation: the last event that is not after the version decides."""
    ordered = []
    for event in events:
        for rank, kind in enumerate(("introduced", "fixed", "last_affected")):
            if kind in event:
                text = event[kind]
                at = None if kind == "introduced" and text == "0" else public(text)
                ordered.append((at is not None, at or Version("0"), rank, kind))
    is_in = False
    for has_begin, at, _, kind in sorted(ordered, key=lambda one: one[:3]):
        if kind == "introduced" and (not has_begin or version >= at):
            is_in = True
        elif kind == "fixed" and version >= at:
            is_in = False
        elif kind == "last_affected" and version > at:
            is_in = False
    return is_in


def base_score(vector):
    """CVSS 3's or 4's; None for a vector of another version, or a malformed one."""
    try:
        if vector.startswith("CVSS:4.0/"):
            return float(CVSS4(vector).base_score)
        if vector.startswith(("CVSS:3.0/", "CVSS:3.1/")):
            return float(CVSS3(vector).base_score)
    except CVSSError:
        return None
    return None


def level_of(score):
    """https://www.first.org/cvss/v4.0/specification-document, 6, as in 3.1; a score of 0 is no vulnerability's."""
    return "critical" if score >= 9 else "high" if score >= 7 else "medium" if score >= 4 else "low"


def severity_of(entry, name):
    own = [one.get("severity", []) for one in entry.get("affected", [])
           if normalized(one.get("package", {}).get("name", "")) == name]
    said = [*entry.get("severity", []), *(each for listed in own for each in listed)]
    scores = [score for one in said if (score := base_score(one.get("score", ""))) is not None]
    if scores:
        return max(scores), level_of(max(scores))
    word = str(entry.get("database_specific", {}).get("severity", "")).upper()
    return None, LEVELS.get(word, "unknown")


def shown(text):
    plain = " ".join(str(text).encode("ascii", "backslashreplace").decode().split())
    return plain if len(plain) <= 200 else f"{plain[:200]}..."


ORDER = ["unknown", "low", "medium", "high", "critical"]


def together(found):
    """One of those that are one vulnerability under several ids, with the worst that is said of it."""
    groups = []
    for one in found:
        ids = set(one["ids"])
        linked = [each for each in groups if ids & set(each["ids"]) and each["package"] == one["package"]]
        for each in linked:
            groups.remove(each)
            one = {
                **one,
                "ids": sorted({*one["ids"], *each["ids"]}),
                "score": max((s for s in (one["score"], each["score"]) if s is not None), default=None),
                "severity": max(one["severity"], each["severity"], key=ORDER.index),
                "summary": one["summary"] or each["summary"],
                "fixed": sorted({*one["fixed"], *each["fixed"]}, key=sortable),
            }
        groups.append(one)
    return sorted(groups, key=lambda one: (-ORDER.index(one["severity"]), one["package"], one["ids"]))


def sortable(text):
    try:
        return (1, Version(text))
    except InvalidVersion:
        return (0, Version("0"))


def matches(data, wanted):
    """What an entry says of the packages; nothing is parsed that names none of them."""
    named = {normalized(name.decode("utf-8", "replace")) for name in NAMES.findall(data)} & wanted.keys()
    if not named:
        return
    entry = json.loads(data)
    if "withdrawn" in entry:
        return
    for name in sorted(named):
        for version in wanted[name]:
            is_affected, fixed = affected(entry, name, public(version))
            if is_affected:
                score, severity = severity_of(entry, name)
                yield {
                    "ids": sorted({shown(one) for one in [entry["id"], *entry.get("aliases", [])]}),
                    "package": name,
                    "version": version,
                    "score": score,
                    "severity": severity,
                    "summary": shown(entry.get("summary") or entry.get("details", "")),
                    "fixed": sorted((shown(one) for one in fixed), key=sortable),
                }


def main():
    place, packages = sys.argv[1:]
    wanted = {}
    for one in json.loads(bounded(packages)):
        try:
            public(one["version"])
        except InvalidVersion:
            continue
        wanted.setdefault(one["name"], []).append(one["version"])
    entries, unread, newest, found = 0, 0, None, []
    try:
        for data in texts_in(place):
            entries += 1
            modified = None if data is None else MODIFIED.search(data)
            if modified is None:
                unread += 1
                continue
            newest = max(newest or "", modified[1].decode("utf-8", "replace"))
            try:
                found.extend(matches(data, wanted))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                unread += 1
    except (OSError, Unreadable, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        print(json.dumps({"problem": shown(error) or type(error).__name__}))
        return
    if entries == unread:
        print(json.dumps({"problem": f"of {entries} files none is an entry in the format of OSV"}))
        return
    print(json.dumps({"entries": entries, "unread": unread, "as_of": shown(newest), "found": together(found)}))


main()
