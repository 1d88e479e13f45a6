import { expect, test } from "vitest";
import {
  loadingNotes,
  type LoadingReport,
  reachesOut,
} from "../../../src/agents/model_deployer/domain/models/loading_report.ts";

const pickled = (imports: string[], problem: string | null = null): LoadingReport => ({
  formats: ["pickle"],
  pickles: [{ path: "model.pkl", imports, problem }],
  trusted_types: [],
});

test("data in known classes needs no word", () => {
  expect(loadingNotes({ formats: ["skops"], pickles: [], trusted_types: [] }, "model")).toEqual([]);
});

test("a pickle is told by what it imports", () => {
  const notes = loadingNotes(
    pickled(["numpy.dtype", "sklearn.linear_model._base.LinearRegression"]),
    "model",
  );
  expect(notes).toEqual([
    "Loading the model runs code (pickle).",
    "model.pkl imports 2 names of numpy, sklearn.",
  ]);
});

test("what reaches beyond the model's data, comes as code or is not known stands out", () => {
  const imports = ["cloudpickle.cloudpickle._make_function", "posix.system", "?"];
  expect(loadingNotes(pickled(imports, "it cannot be read to its end: ValueError"), "preprocessing")).toEqual(
    [
      "Loading the preprocessing runs code (pickle).",
      "model.pkl imports 3 names of cloudpickle, posix, ?.",
      "model.pkl brings functions of its own as code (cloudpickle.cloudpickle._make_function).",
      "model.pkl imports posix.system, ?, by which it can do anything: look through it before it is approved.",
      "What model.pkl imports is not all known: it cannot be read to its end: ValueError.",
    ],
  );
});

test.each([
  "os.system",
  "builtins.eval",
  "subprocess.Popen",
  "runpy._run_code",
  "?",
  "operator.methodcaller",
  "socket.socket",
])("%s reaches out", (name) => {
  expect(reachesOut(name)).toBe(true);
});

test.each([
  "ossify.load",
  "builtins.list",
  "collections.OrderedDict",
  "sklearn.svm._classes.SVC",
  "codecs.encode",
])("%s does not", (name) => {
  expect(reachesOut(name)).toBe(false);
});
