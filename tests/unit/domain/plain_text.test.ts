import fc from "fast-check";
import { expect, it } from "vitest";
import {
  isPlainName,
  isPlainText,
  escaped,
} from "../../../src/agents/model_deployer/domain/values/plain_text.ts";

const hostile = {
  "a screen that is cleared": "fine\u001b[2J",
  "a title that is set": "\u001b]0;pwned\u0007",
  "a line that is written over": "rejected\rapproved",
  "a control of the second set": "\u009b2J",
  "text that runs the other way": "\u202egnp.exe",
  "an isolate": "a\u2066b\u2069",
  "a zero-width space": "ana\u200b",
  "a line separator": "a\u2028b",
  "a tag": "a\u{e0041}",
  "half a character": "\ud800",
  "a null": "\u0000",
};

it.each(Object.entries(hostile))("%s is no plain text, and is shown escaped", (_, text) => {
  expect(isPlainText(text)).toBe(false);
  expect(isPlainName(text)).toBe(false);
  expect(isPlainText(escaped(text))).toBe(true);
  expect(JSON.parse(`"${escaped(text)}"`)).toBe(text);
});

it("reasons may have lines, tabs and any script; names one line, one alphabet and one form", () => {
  const reasons = ["Zürich: 92 % → 94 %", "первый", "シャドウ", "a\nb\tc", "می‌خواهم", "👩‍🔬"];
  for (const reason of reasons) expect(isPlainText(reason), reason).toBe(true);
  for (const name of ["ana", "Ana María", "Анна", "陳", "o'neil", "j.doe@example.org"]) {
    expect(isPlainName(name), name).toBe(true);
  }
  for (const name of ["\u0430na", "οmar", "ａｎａ", "a\nb", "o\u200dmar", "ﬁn"]) {
    expect(isPlainName(name), JSON.stringify(name)).toBe(false);
  }
});

it("whatever it is made of, escaped text is plain, and plain text stays as it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(isPlainText(escaped(text))).toBe(true);
      if (isPlainText(text)) expect(escaped(text)).toBe(text);
    }),
  );
});
