import { afterEach, describe, expect, test, vi } from "vitest";
import { withoutPassword } from "../../../src/platform/python/requirements/configured_places.ts";
import {
  localVersionHint,
  modelRequirements,
} from "../../../src/platform/python/requirements/requirement_lines.ts";

afterEach(() => vi.unstubAllEnvs());

const index = "https://packages.example/simple";

describe("an index that a model names", () => {
  test.each([
    ["UV_INDEX", `https://other.example/simple own=https://me:secret@packages.example/simple/`],
    ["UV_DEFAULT_INDEX", index],
    ["PIP_EXTRA_INDEX_URL", `${index}/`],
  ])("is left out where %s has it, since it is asked anyway", (name, value) => {
    vi.stubEnv(name, value);
    for (const option of [`--extra-index-url ${index}`, `--index-url=${index}/`, `-i ${index}`]) {
      expect(modelRequirements([option, "numpy"])).toEqual(["bentoml==1.4.39", "numpy"]);
    }
  });

  test("is refused where the configuration lacks it, with the way out and without its password", () => {
    const refused = () => modelRequirements(["--extra-index-url https://me:secret@packages.example/simple"]);
    expect(refused).toThrow(
      /"--extra-index-url https:\/\/packages.example\/simple".*not configured.*UV_INDEX/,
    );
    expect(refused).not.toThrow(/secret/);
  });

  test("is kept without its password", () => {
    expect(withoutPassword("--index-url https://me:secret@packages.example/simple")).toBe(
      "--index-url https://packages.example/simple",
    );
    expect(withoutPassword("numpy==2.0.0")).toBe("numpy==2.0.0");
  });
});

test.each(["-e .", "--pre", "-r more.txt", "--trusted-host packages.example"])(
  "the option %j is refused, with what can be done instead",
  (option) => {
    expect(() => modelRequirements([option])).toThrow(/installer option.*code_paths, or as a wheel/);
  },
);

test("a build that PyPI does not have is named, with the index that has it", () => {
  expect(localVersionHint(["numpy==2.0.0", "torch==2.6.0+cpu"])).toMatch(
    /torch==2\.6\.0\+cpu.*UV_INDEX.*whl\/cpu/,
  );
  expect(localVersionHint(["numpy==2.0.0", "rules; os_name == 'a+b'"])).toBe("");
});
