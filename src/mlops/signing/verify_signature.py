"""Verifies the signature of a model's folder by each signer until one holds, and says what was found, as JSON.

usage: verify_signature.py REQUEST_JSON_FILE

The request: {"folder": path, "signature": path, "signers": [{"kind": "key" | "certificate", "file": path} |
             {"kind": "identity", "identity": text, "issuer": text, "trust": path}, ...]}
             `trust` is a trusted root of Sigstore's, or a client's trust configuration with one.

The answer: {"found": "signed", "signer": index, "subject": text | null}
            {"found": "unreadable" | "files_differ" | "files_not_covered" | "not_allowed", "detail": text}

A signature is verified before anything that it says is believed. Nothing is asked over the network.
"""

import ast
import base64
import contextlib
import json
import logging
import os
import re
import sys
from pathlib import Path

from cryptography import x509
from model_signing import hashing, verifying

MOST_NAMED = 5
MISMATCH = "Signature mismatch: "
TRUST_TYPE = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
SIGNS_NOWHERE = {
    "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
    "caUrls": [],
    "oidcUrls": [],
    "rekorTlogUrls": [],
    "tsaUrls": [],
    "rekorTlogConfig": {"selector": "ANY"},
    "tsaConfig": {"selector": "ANY"},
}


def shown(text):
    """In one line of plain characters, for it may come from whoever made the file."""
    plain = " ".join(str(text).encode("ascii", "backslashreplace").decode().split())
    return plain if len(plain) <= 300 else f"{plain[:300]}..."


def answer(found, **more):
    print(json.dumps({"found": found, **more}), file=sys.__stdout__)
    raise SystemExit(0)


def verifier(signer):
    config = verifying.Config()
    if signer["kind"] == "key":
        return config.use_elliptic_key_verifier(public_key=Path(signer["file"]))
    if signer["kind"] == "certificate":
        return config.use_certificate_verifier(certificate_chain=[Path(signer["file"])])
    trust = Trust(Path(signer["trust"]).read_text(encoding="utf-8"))
    return config.use_sigstore_verifier(
        identity=signer["identity"], oidc_issuer=signer["issuer"], trust_config=trust
    )


class Trust:
    """Stands for the path of a client's trust configuration, of which a trusted root alone is the part that verifies."""

    def __init__(self, text):
        self.text = text

    def read_text(self):
        given = json.loads(self.text)
        if "trustedRoot" in given:
            return self.text
        return json.dumps({"mediaType": TRUST_TYPE, "trustedRoot": given, "signingConfig": SIGNS_NOWHERE})


def verify(signer, folder, signature):
    try:
        verifier(signer).verify(folder, signature)
    except ValueError as error:
        if not str(error).startswith(MISMATCH):
            raise
        # Releases before 1.1 do not write down that they left out the signature's own file.
        own = hashing.Config().set_ignored_paths(paths=[signature.relative_to(folder)], ignore_git_paths=False)
        try:
            verifier(signer).set_hashing_config(own).verify(folder, signature)
        except ValueError:
            raise error from None


def names_of(bundle):
    """The files that a verified bundle covers; a shard is named `path:from:to`."""
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"], validate=True))
    predicate = statement.get("predicate", {})
    if "resources" not in predicate:  # as releases before 1.0 wrote it
        return {subject["name"] for subject in statement["subject"]}
    names = (resource["name"] for resource in predicate["resources"])
    if predicate["serialization"]["method"] == "shards":
        return {name.rsplit(":", 2)[0] for name in names}
    return set(names)


def subject_of(bundle, kind):
    if kind != "certificate":
        return None
    leaf = bundle["verificationMaterial"]["x509CertificateChain"]["certificates"][0]
    certificate = x509.load_der_x509_certificate(base64.b64decode(leaf["rawBytes"], validate=True))
    return shown(certificate.subject.rfc4514_string())


def files_in(folder):
    for parent, folders, names in os.walk(folder):
        for name in folders + names:
            path = Path(parent, name)
            if path.is_symlink():
                answer("files_differ", detail=f"{shown(path.relative_to(folder).as_posix())} is a link")
            if name in names:
                yield path.relative_to(folder).as_posix()


def differences(text):
    """The library's list of what differs, with the files and without their digests."""
    try:
        listed = [str(one) for one in ast.literal_eval(text)]
    except (ValueError, SyntaxError):
        listed = [text]
    named = []
    for one in listed[: MOST_NAMED + 2]:
        altered = re.match(r"Hash mismatch for '(.*)': Expected ", one)
        added = re.match(r"Extra files found in model '.*': (.*)", one)
        missing = re.match(r"Missing files in model '.*': (.*)", one)
        found, what = (altered, "altered") if altered else (added, "added") if added else (missing, "missing")
        named.append(f"{what}: {found[1]}" if found else one)
    more = len(listed) - len(named)
    return shown("; ".join(named)) + (f" and {more} more" if more else "")


def signed_by_whom(bundle):
    material = bundle["verificationMaterial"]
    hint = material.get("publicKey", {}).get("hint")
    if hint:
        return f"it was made by a key whose PEM has the sha256 {shown(hint)}"
    return "it was made by a certificate" if "publicKey" not in material else "it does not name its key"


def read(path):
    try:
        bundle = json.loads(Path(path).read_text(encoding="utf-8"))
        bundle["verificationMaterial"].get("publicKey")
        base64.b64decode(bundle["dsseEnvelope"]["payload"], validate=True)
        return bundle
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        answer("unreadable", detail=f"it is no bundle of Sigstore's ({type(error).__name__}: {shown(error)})")


def main():
    logging.disable(logging.CRITICAL)
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder, signature = Path(request["folder"]), Path(request["signature"])
    bundle = read(signature)
    files = set(files_in(folder)) - {signature.relative_to(folder).as_posix()}
    differing, why = None, []
    for index, signer in enumerate(request["signers"]):
        try:
            verify(signer, folder, signature)
        except Exception as error:  # each kind has errors of its own, and of the libraries below it
            text = str(error)
            if text.startswith(MISMATCH):
                differing = differences(text.removeprefix(MISMATCH))
            why.append(shown(text) or type(error).__name__)
            continue
        uncovered = files - names_of(bundle)
        if uncovered:
            named = sorted(uncovered)[:MOST_NAMED]
            more = len(uncovered) - len(named)
            answer("files_not_covered", detail=shown(", ".join(named)) + (f" and {more} more" if more else ""))
        answer("signed", signer=index, subject=subject_of(bundle, signer["kind"]))
    if differing is not None:
        answer("files_differ", detail=differing)
    answer("not_allowed", detail=f"{signed_by_whom(bundle)} ({'; '.join(sorted(set(why)))})")


with contextlib.redirect_stdout(sys.stderr):  # the library prints warnings
    main()
