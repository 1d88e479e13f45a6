import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { settings } from "../../../src/wiring/settings/configuration.ts";

/** Variables that the deployer sets for the processes that it starts; nobody else sets them. */
const SET_FOR_PROCESSES = [
  "MODEL_DEPLOYER_DEPLOYMENT_ID",
  "MODEL_DEPLOYER_FORMER_LOGS",
  "MODEL_DEPLOYER_GROUP_PROCESSES",
  "MODEL_DEPLOYER_INSTANCE",
  "MODEL_DEPLOYER_PREDICTION_LOG",
  "MODEL_DEPLOYER_PROCESS_LOG",
  "MODEL_DEPLOYER_SERVER_SECRET",
  "MODEL_DEPLOYER_SETTINGS_DIGEST",
  "MODEL_DEPLOYER_TIED_TO",
  "MODEL_DEPLOYER_WORKING_DIRECTORY",
];

test("the README's table has every variable that is read, and no other", async () => {
  const read = new Set([...Object.keys(settings.shape), ...(await variablesInSource())]);
  const listed = (await cellsOfVariables()).flatMap((cell) => variablesOf(cell, read));
  expect(listed.filter((name) => !read.has(name))).toEqual([]);
  expect([...read].filter((name) => !listed.includes(name))).toEqual([]);
});

async function cellsOfVariables(): Promise<string[]> {
  const [, section = ""] = /\n## Configuration\n(.*?)\n## /s.exec(await readFile("README.md", "utf8")) ?? [];
  return section.split("\n").flatMap((line) => (line.startsWith("| `") ? [line.split("|")[1] ?? ""] : []));
}

/** `MODEL_A`, `_B` in one cell are two variables, the second of which begins as the first does. */
function variablesOf(cell: string, read: ReadonlySet<string>): string[] {
  let first = "";
  return Array.from(cell.matchAll(/`([A-Z_]+)`/g), ([, name = ""]) => {
    if (!name.startsWith("_")) return (first = name);
    const parts = first.split("_");
    const meant = parts.map((_, index) => parts.slice(0, parts.length - 1 - index).join("_") + name);
    return meant.find((one) => read.has(one)) ?? name;
  });
}

async function variablesInSource(): Promise<string[]> {
  const files = (await readdir("src", { recursive: true })).filter((name) => /\.(ts|py)$/.test(name));
  const texts = await Promise.all(files.map((name) => readFile(join("src", name), "utf8")));
  const named = texts.flatMap((text) => text.match(/\bMODEL_DEPLOYER(_[A-Z]+)+\b/g) ?? []);
  return named.filter((name) => !SET_FOR_PROCESSES.includes(name));
}

test("the guide's map has every room of the code, and no other", async () => {
  const paths = pathsOf(await readFile("CLAUDE.md", "utf8"));
  expect(paths.filter((path) => !existsSync(path))).toEqual([]);
  const rooms = await Promise.all(["src", "src/mlops", "src/agents/model_deployer"].map(foldersIn));
  const isOnMap = (room: string) => paths.some((path) => path === room || path.startsWith(`${room}/`));
  expect(rooms.flat().filter((room) => !isOnMap(room))).toEqual([]);
});

/** The paths of the map, those that are indented below the one above; `{a,b}` are two, and `<x>` is any. */
function pathsOf(guide: string): string[] {
  const [, map = ""] = /\n## Where things are\n\n```\n(.*?)\n```/s.exec(guide) ?? [];
  let above = "";
  return map.split("\n").flatMap((line) => {
    const names = (line.trim().split(/\s{2,}/)[0] ?? "").split(" ").flatMap(expanded);
    if (line.startsWith(" ")) return names.map((name) => join(above, name));
    above = names[0] ?? "";
    return names.map((name) => join(name, "."));
  });
}

function expanded(name: string): string[] {
  const [, before = "", choices, after = ""] = /^(.*)\{(.*)\}(.*)$/.exec(name) ?? [];
  const names = choices === undefined ? [name] : choices.split(",").map((one) => before + one + after);
  return names.map((one) => one.replace(/\/?(<\w+>\/?)?$/, ""));
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries.filter((one) => one.isDirectory()).map(({ name }) => join(folder, name));
}

test("every file that the architecture names is there", async () => {
  const text = await readFile("docs/architecture.md", "utf8");
  const [, prose = ""] = /## The way of one promotion\n(.*)/s.exec(text) ?? [];
  const named = Array.from(prose.matchAll(/`([\w./]+(?:\.(?:ts|sql)|\/))`/g), ([, name = ""]) => name);
  const files = (await Promise.all(["src", "tests"].map(filesIn))).flat();
  const isThere = (name: string) =>
    files.some((file) => `/${file}/`.includes(`/${name.replace(/\/$/, "")}/`));
  expect(named.filter((name) => !isThere(name))).toEqual([]);
});

async function filesIn(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).map((name) => join(folder, name));
}

const PAGES = ["README.md", "CLAUDE.md", "docs", "docs/decisions"];

test("every link between pages leads to a page, and to a decision by its number", async () => {
  const pages = await Promise.all(PAGES.map(pagesIn));
  const wrong = await Promise.all(
    pages.flat().map(async (page) => {
      const text = await readFile(page, "utf8");
      return Array.from(
        text.matchAll(/\[([^\]]*)\]\(([^)#:]+)(#[^)]*)?\)/g),
        ([link, label = "", to = ""]) => {
          const number = /(?:^|\/)0*(\d+)-[^/]*\.md$/.exec(to)?.[1];
          const isRight = number === undefined || label === `ADR ${number}`;
          return isRight && existsSync(join(dirname(page), to)) ? [] : [`${page}: ${link}`];
        },
      );
    }),
  );
  expect(wrong.flat(2)).toEqual([]);
});

test("no page breaks a paragraph into lines", async () => {
  const pages = (await Promise.all(PAGES.map(pagesIn))).flat();
  const broken = await Promise.all(
    pages.map(async (page) => {
      const prose = (await readFile(page, "utf8")).replaceAll(/^\s*```.*?^\s*```/gms, "");
      return /^[^\n#|>]*\w[^\n]*[^\\\n]\n[ \t]*[a-z(`][^\n]*/m.exec(prose)?.[0] ?? [];
    }),
  );
  expect(broken.flat()).toEqual([]);
});

async function pagesIn(place: string): Promise<string[]> {
  if (place.endsWith(".md")) return [place];
  return (await readdir(place)).filter((name) => name.endsWith(".md")).map((name) => join(place, name));
}
