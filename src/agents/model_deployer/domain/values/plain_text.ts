/**
 * Control characters but tab and new line, and what is not seen or turns the text about it round: direction marks,
 * zero-width characters but those that join letters, tags, and halves of characters.
 */
const UNSEEN = /(?![\t\n\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;
const BROKEN_LINE = /[\t\n\u200c\u200d]/;
/** Scripts that have letters of one another's look: https://www.unicode.org/reports/tr39/#Confusable_Detection */
const ALIKE = [/\p{Script=Latin}/u, /\p{Script=Cyrillic}/u, /\p{Script=Greek}/u, /\p{Script=Armenian}/u];

/** Whether a terminal and a page show the text as what it is. */
export function isPlainText(text: string): boolean {
  return !UNSEEN.test(text);
}

/** Whether it is plain, of one line, in NFKC's form, and mixes no alphabets that look alike. */
export function isPlainName(name: string): boolean {
  const isOneLine = isPlainText(name) && !BROKEN_LINE.test(name) && name === name.normalize("NFKC");
  return isOneLine && ALIKE.filter((script) => script.test(name)).length < 2;
}

const HIDDEN = new RegExp(UNSEEN, "gu");

/** With each unseen character as `\u....`, which is the same text in JSON. */
export function escaped(text: string): string {
  return text.replace(HIDDEN, (found) =>
    Array.from({ length: found.length }, (_, index) => {
      const unit = found.charCodeAt(index).toString(16).padStart(4, "0");
      return `\\u${unit}`;
    }).join(""),
  );
}
