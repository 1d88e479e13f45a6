import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { assertFormats, inspectLoading } from "../../../src/mlops/loading/loading_inspector.ts";
import { scriptPython } from "../../../src/platform/processes/child_environment.ts";

const run = promisify(execFile);
const signal = new AbortController().signal;
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "model-deployer-files-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Writes files by Python's own modules; each pickle of these would leave a file behind if it were loaded. */
const write = (code: string) =>
  run(scriptPython(), [
    "-I",
    "-c",
    `import bz2, gzip, io, os, pickle, sys, zipfile, zlib\nos.chdir(sys.argv[1])\n${code}`,
    folder,
  ]);

const touching = `
class Touch:
    def __reduce__(self):
        return (os.system, ("touch loaded",))
`;
const described = (text: string) => writeFile(join(folder, "MLmodel"), text);
const importsOf = async () => {
  const { pickles } = await inspectLoading(folder, signal);
  return Object.fromEntries(pickles.map(({ path, imports }) => [path, imports]));
};

test("a pickle's imports are found in each protocol, compressed and inside archives, and nothing is loaded", async () => {
  await write(`${touching}
for protocol in range(6):
    with open(f"{protocol}.pkl", "wb") as file:
        pickle.dump(Touch(), file, protocol=protocol)
payload = pickle.dumps(Touch())
for name, pack in [("gzip.bin", gzip.compress), ("bz2.bin", bz2.compress), ("zlib.joblib", zlib.compress)]:
    with open(name, "wb") as file:
        file.write(pack(payload))
with open("unnamed", "wb") as file:
    file.write(payload)
with zipfile.ZipFile("weights.pt", "w") as archive:
    archive.writestr("archive/data.pkl", payload)
    archive.writestr("archive/data/0", b"0" * 1000)
with open("objects.npy", "wb") as file:
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    file.write(b"\\x93NUMPY\\x01\\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\\n" + payload)
`);
  const found = await importsOf();
  const names = ["0.pkl", "1.pkl", "2.pkl", "3.pkl", "4.pkl", "5.pkl", "bz2.bin", "gzip.bin", "objects.npy"];
  expect(Object.keys(found)).toEqual([...names, "unnamed", "weights.pt/archive/data.pkl", "zlib.joblib"]);
  for (const [path, imports] of Object.entries(found)) expect(imports, path).toContain("posix.system");
  await expect(readFile(join(folder, "loaded"))).rejects.toMatchObject({ code: "ENOENT" });
});

test("a name that is computed, and a file that breaks off, are told as unknown", async () => {
  await write(`
with open("computed.pkl", "wb") as file:
    file.write(b"\\x80\\x04(\\x8c\\x02os\\x8c\\x06systeml0\\x8c\\x02os\\x940h\\x00N\\x93.")
with open("broken.pkl", "wb") as file:
    file.write(pickle.dumps({"a": [1, 2, 3]})[:-4])
with open("text.pkl", "w") as file:
    file.write("nothing of the kind")
`);
  const { pickles } = await inspectLoading(folder, signal);
  const told = Object.fromEntries(
    pickles.map(({ path, imports, problem }) => [path, [imports, problem !== null]]),
  );
  expect(told).toEqual({ "broken.pkl": [[], true], "computed.pkl": [["?"], false], "text.pkl": [[], true] });
});

test("formats follow the description and what lies beside it, and are allowed by name", async () => {
  const flavor = (loader: string, more: string) =>
    described(`flavors:\n  python_function:\n    loader_module: ${loader}\n${more}`);
  const formats = async () => (await inspectLoading(folder, signal)).formats;
  const sklearn = (format: string, types = "[]") =>
    `  sklearn:\n    serialization_format: ${format}\n    skops_trusted_types: ${types}\n`;
  await flavor("mlflow.sklearn", sklearn("skops"));
  expect(await formats()).toEqual(["skops"]);
  await flavor("mlflow.sklearn", sklearn("skops", "[numpy.dtype]"));
  expect(await formats()).toEqual(["skops"]);
  await flavor("mlflow.sklearn", sklearn("skops", "[operator.methodcaller]"));
  expect(await formats()).toEqual(["skops_types"]);
  await flavor("mlflow.sklearn", sklearn("cloudpickle"));
  expect(await formats()).toEqual(["pickle"]);
  await flavor("mlflow.xgboost", "  xgboost:\n    model_class: xgboost.sklearn.XGBClassifier\n");
  expect(await formats()).toEqual(["xgboost"]);
  await flavor("mlflow.xgboost", "  xgboost:\n    model_class: evil.Model\n");
  expect(await formats()).toEqual(["pyfunc"]);
  await flavor("mlflow.onnx", "    code: code\n");
  expect(await formats()).toEqual(["code", "onnx"]);
  await flavor("mine", "");
  expect(await formats()).toEqual(["pyfunc"]);
  await flavor("mlflow.onnx", "");
  await write("pickle.dump([1], open('extra.pkl', 'wb'))");
  const report = await inspectLoading(folder, signal);
  expect(report.formats).toEqual(["onnx", "pickle"]);
  expect(() => {
    assertFormats(report, ["onnx"], "runs:/1/model");
  }).toThrow(/^runs:\/1\/model is pickle, and MODEL_DEPLOYER_FORMATS allows onnx: /);
  assertFormats(report, ["onnx", "pickle"], "runs:/1/model");
});
