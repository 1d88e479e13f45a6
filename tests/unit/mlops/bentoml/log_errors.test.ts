import { describe, expect, it } from "vitest";
import { countErrorLine, lastErrorLine } from "../../../../src/mlops/bentoml/log_errors.ts";

const failedLoad = `2026-11-23T09:49:01+0000 [INFO] [cli] Starting production HTTP BentoServer
Traceback (most recent call last):
  File "service.py", line 12, in __init__
    raise ValueError("not this one: Error: x")
ModuleNotFoundError: No module named 'skops'

2026-11-23T09:49:05+0000 [ERROR] [:1] Application startup failed. Exiting.
`;

describe("the last error of a log", () => {
  it("is the exception's own line", () => {
    expect(lastErrorLine(failedLoad)).toBe("ModuleNotFoundError: No module named 'skops'");
  });

  it.each([
    [
      "mlflow.exceptions.MlflowException: no such flavor",
      "mlflow.exceptions.MlflowException: no such flavor",
    ],
    ["Error: [serve] `serve` failed: no module", "Error: [serve] `serve` failed: no module"],
    [
      "  pickle.UnpicklingError: pickle data was truncated",
      "pickle.UnpicklingError: pickle data was truncated",
    ],
    ["KeyError: 'x'\nSystemExit: 3", "KeyError: 'x'"],
    ["MemoryError", "MemoryError"],
  ])("is found in %j", (log, line) => {
    expect(lastErrorLine(log)).toBe(line);
  });

  it.each([
    "",
    "all is well",
    "UserWarning: an error may follow",
    "sklearn.exceptions.InconsistentVersionWarning: 1.2",
    "prediction | ValueError: bad row",
    '    raise ValueError("x")',
  ])("is null in %j", (log) => {
    expect(lastErrorLine(log)).toBeNull();
  });

  it("is counted by its whole line", () => {
    const line = "ModuleNotFoundError: No module named 'skops'";
    expect(countErrorLine(failedLoad, line)).toBe(1);
    expect(countErrorLine(`${failedLoad}\n${failedLoad}\n${line}.io`, line)).toBe(2);
  });
});
