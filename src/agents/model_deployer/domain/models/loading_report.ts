import { z } from "zod";

/** Formats that load data into known classes. */
export const SAFE_FORMATS = ["skops", "safetensors", "onnx", "xgboost", "lightgbm", "catboost"] as const;
/** Formats that run what they name: `skops_types` with types of its own that it calls trusted, `code` a module that it brings. */
export const CODE_FORMATS = ["skops_types", "pickle", "pyfunc", "code"] as const;
export const formatSchema = z.enum([...SAFE_FORMATS, ...CODE_FORMATS]);
export type Format = z.infer<typeof formatSchema>;

export const loadingReportSchema = z.strictObject({
  formats: z.array(formatSchema),
  pickles: z.array(
    z.strictObject({
      path: z.string(),
      /** `module.name`; `?` for one that is computed. */
      imports: z.array(z.string()),
      /** Why the rest of it was not read. */
      problem: z.string().nullable(),
    }),
  ),
  /** Types that a skops file calls trusted. */
  trusted_types: z.array(z.string()),
});
/** The effects of loading a model's files, read without loading any. */
export type LoadingReport = z.infer<typeof loadingReportSchema>;

/** Names by which a pickle reaches beyond its own data. */
const REACHING =
  /^(os|posix|nt|subprocess|sys|socket|ssl|shutil|pty|runpy|importlib|imp|ctypes|code|codeop|commands|multiprocessing|pickle|_pickle|webbrowser|urllib|http|httplib|requests|aiohttp|asyncio|signal|threading|tempfile|pathlib|pip|pkgutil|zipimport|timeit|bdb|pdb|builtins\.(exec|eval|compile|open|__import__|getattr|setattr|globals|breakpoint)|__builtin__\.(exec|eval|compile|open|__import__|getattr|execfile)|operator\.(attrgetter|methodcaller)|functools\.reduce|torch\.hub|torch\.load|numpy\.testing|numpy\.load|joblib\.load|pandas\.read_pickle|\?)(\.|$)/;
/** Modules by which a pickle carries functions as code. */
const BY_VALUE = /^(cloudpickle|dill|types\.(CodeType|FunctionType)|marshal)(\.|$)/;
const SHOWN = 6;

export const reachesOut = (name: string): boolean => REACHING.test(name);
export const bringsCode = (name: string): boolean => BY_VALUE.test(name);

/** `safe` stands for all of those, `any` for each there is; the others are names, as in `safe,pickle`. */
export function spelledFormats(text: string): string[] {
  const named = (name: string): string[] =>
    name === "any" ? formatSchema.options : name === "safe" ? [...SAFE_FORMATS] : [name];
  return [...new Set(text.split(",").flatMap((name) => named(name.trim())))];
}

/** Notes for whoever registers or approves, before anything loads the files. */
export function loadingNotes(report: LoadingReport, what: string): string[] {
  const { formats, pickles, trusted_types } = report;
  const runs = formats.filter((format) => CODE_FORMATS.some((one) => one === format));
  if (runs.length === 0) return [];
  return [
    `Loading the ${what} runs code (${runs.join(", ")}).`,
    ...(trusted_types.length === 0 ? [] : [`It calls these types trusted: ${shown(trusted_types)}.`]),
    ...pickles.flatMap(pickleNotes),
  ];
}

function pickleNotes({ path, imports, problem }: LoadingReport["pickles"][number]): string[] {
  const reaching = imports.filter(reachesOut);
  const byValue = imports.filter(bringsCode);
  const modules = [...new Set(imports.map((name) => name.split(".")[0] ?? name))];
  return [
    ...(imports.length === 0 ? [] : [`${path} imports ${imports.length} names of ${shown(modules)}.`]),
    ...(byValue.length === 0 ? [] : [`${path} brings functions of its own as code (${shown(byValue)}).`]),
    ...(reaching.length === 0
      ? []
      : [
          `${path} imports ${shown(reaching)}, by which it can do anything: look through it before it is approved.`,
        ]),
    ...(problem === null ? [] : [`What ${path} imports is not all known: ${problem}.`]),
  ];
}

function shown(names: readonly string[]): string {
  const few = names.slice(0, SHOWN).join(", ");
  return names.length > SHOWN ? `${few} and ${names.length - SHOWN} more` : few;
}
