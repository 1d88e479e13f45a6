import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { expect, test } from "vitest";
import { z } from "zod";
import { ensureToolsEnvironment } from "../../../../src/platform/python/python_environment.ts";
import { cacheDirectory } from "../workshop.ts";

const template = fileURLToPath(new URL("../../../../src/mlops/bentoml/service_template/", import.meta.url));

/** Values of answers: what ours makes of them before MLflow is imported, and what MLflow's encoder does. */
const SCRIPT = `
import json, sys
import numpy
from model_deployer_serving.model.mlflow_adapter import as_json

VALUES = {
    "classes of whole numbers": numpy.array([0, 1]),
    "classes of words": numpy.array(["benign", "malign"]),
    "classes of objects": numpy.array(["benign", 1, None, 2.5], dtype=object),
    "booleans": numpy.array([True, False]),
    "a table of numbers": numpy.array([[1.5, 2.0], [3.0, 4.0]], dtype=numpy.float32),
    "unsigned": numpy.array([255], dtype=numpy.uint8),
    "one number": numpy.float32(1.5),
    "one whole number": numpy.int64(7),
    "one boolean": numpy.bool_(True),
    "no dimension": numpy.array(3),
    "nothing": numpy.array([]),
    "inside": {"a": [numpy.int32(1), {"b": numpy.array([1, 2])}]},
}
ours = {name: as_json(value) for name, value in VALUES.items()}
is_imported = "mlflow" in sys.modules

from mlflow.utils.proto_json_utils import NumpyEncoder

theirs = {name: json.dumps(value, cls=NumpyEncoder) for name, value in VALUES.items()}
odd = {
    "instants": numpy.array(["2026-01-01"], dtype="datetime64[D]"),
    "bytes": numpy.bytes_(b"x"),
    "complex": numpy.complex128(1 + 2j),
}
def told(encode, value):
    try:
        return encode(value)
    except TypeError as error:
        return type(error).__name__
odd_ours = {name: told(as_json, value) for name, value in odd.items()}
odd_theirs = {name: told(lambda one: json.dumps(one, cls=NumpyEncoder), value) for name, value in odd.items()}
print(json.dumps({"is_imported": is_imported, "ours": {**ours, **odd_ours}, "theirs": {**theirs, **odd_theirs}}))
`;

const toldSchema = z.object({
  is_imported: z.boolean(),
  ours: z.record(z.string(), z.string()),
  theirs: z.record(z.string(), z.string()),
});

test("numpy's plain values are encoded as MLflow does, without the import that the first callers would wait for", async () => {
  const { python } = await ensureToolsEnvironment({ cacheDirectory });
  const { stdout } = await execa(python, ["-B", "-c", SCRIPT], { env: { PYTHONPATH: template } });
  const told = toldSchema.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
  expect(told.is_imported).toBe(false);
  expect(told.ours).toEqual(told.theirs);
});
