import { expect, test, vi, onTestFinished } from "vitest";
import { buildEnvironment } from "../../../src/platform/python/requirements/index_settings.ts";
import { checkedRequirements, wheelOf } from "../../../src/platform/python/requirements/requirement_lines.ts";

const HASH = "0".repeat(64);

test("packages of an index pass, with what may be said of them", () => {
  const lines = [
    "numpy",
    "scikit-learn==1.9.1",
    "mlflow[extras,gateway]>=3.1,<4",
    "pandas (>=2.0, !=2.1.*)",
    'uvloop; sys_platform != "win32"',
    "torch==2.13.0+cpu ; python_version >= '3.10' and (platform_machine == 'x86_64' or extra == 'a-b')",
    `joblib==1.6.0 --hash=sha256:${HASH} --hash=sha256:${HASH}`,
    "wheels/mine-1.0-py3-none-any.whl",
    `./wheels/mine-1.0-py3-none-any.whl --hash=sha256:${HASH}`,
  ];
  expect(checkedRequirements(["# of the model", "", ...lines, "  six  # comment"])).toEqual([
    ...lines,
    "six",
  ]);
  expect(wheelOf("./wheels/mine-1.0-py3-none-any.whl")).toBe("wheels/mine-1.0-py3-none-any.whl");
});

test.each([
  "evil @ file:///etc/evil",
  "evil @ git+https://example.org/evil.git",
  "evil[more]@https://example.org/evil.zip",
  "git+https://example.org/evil.git",
  "https://example.org/evil-1.0-py3-none-any.whl",
  "file:///srv/evil-1.0-py3-none-any.whl",
  "/srv/evil-1.0-py3-none-any.whl",
  "../evil-1.0-py3-none-any.whl",
  "wheels/../../evil-1.0-py3-none-any.whl",
  "./local",
  "evil==1.0 --index-url=https://example.org/simple",
  "evil==1.0 --global-option=x",
  "evil==1.0 -e .",
  "-e .",
  "--index-url=https://example.org/simple",
  "-r more.txt",
  "ssh://git@example.org/evil",
  "evil==1.0\nmore",
  "${HOME}",
  'evil; os_name == "a" @ file:///etc',
])("%j is no package of an index, and is named", (line) => {
  expect(() => checkedRequirements(["numpy", line])).toThrow(JSON.stringify(line));
});

test("addresses pass where they are allowed, and files of the machine never", () => {
  const allowed = ["evil @ git+https://example.org/a.git", "evil @ https://example.org/evil.zip"];
  expect(checkedRequirements(allowed, "allowed")).toEqual(allowed);
  for (const line of ["evil @ file:///etc/evil", "evil @ git+ssh://git@example.org/a.git", "-e ."]) {
    expect(() => checkedRequirements([line], "allowed")).toThrow(JSON.stringify(line));
  }
});

test("a build knows where indexes are, and the password of none", () => {
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  vi.stubEnv("UV_DEFAULT_INDEX", "https://user:word@example.org/simple");
  vi.stubEnv("UV_INDEX", "private=https://user:p@ss@example.org/a https://example.org/b");
  vi.stubEnv("HTTPS_PROXY", "http://user:word@127.0.0.1:3128");
  vi.stubEnv("UV_INDEX_PRIVATE_PASSWORD", "word");
  vi.stubEnv("PIP_INDEX_URL", "https://user:word@example.org/simple");
  vi.stubEnv("NETRC", "/home/me/.netrc");
  const seen = buildEnvironment("/scratch");
  expect(JSON.stringify(seen)).not.toMatch(/word|p@ss|netrc|PIP_/);
  expect(seen).toMatchObject({
    UV_DEFAULT_INDEX: "https://example.org/simple",
    UV_INDEX: "private=https://example.org/a https://example.org/b",
    HTTPS_PROXY: "http://127.0.0.1:3128",
    HOME: "/scratch",
    UV_CACHE_DIR: "/scratch/uv",
  });
});
