const INSTANT = /\d{4}-\d\d-\d\dT[\d:.]+Z?/g;
/** Not the digits of a name, such as those of e2i_scan1 and v2, by which two of a kind are told apart. */
const NUMBER = /(?<![\w.-])\d+(?:[.:,]\d+)*/g;

/** The subject of a sentence: those that differ only in instants and numbers say the same about the same thing. */
export const problemOf = (sentence: string): string =>
  sentence.replaceAll(INSTANT, "#").replaceAll(NUMBER, "#");
