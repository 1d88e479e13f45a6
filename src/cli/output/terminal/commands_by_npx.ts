/**
 * Lines as they are shown to somebody who ran this program by npx: there is no `model-deployer` on their path, so that its
 * commands begin with `npx`.
 * @param words the first words of the commands
 */
export function commandsByNpx(words: readonly string[]): (text: string) => string {
  const options = String.raw`(?:--[\w-]+ \S+ )*`;
  const command = new RegExp(
    String.raw`(?<!npx |[\w./-])model-deployer (?=${options}(?:${words.join("|")})\b)`,
    "g",
  );
  return (text) => text.replaceAll(command, "npx $&");
}
