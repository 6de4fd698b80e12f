/**
 * English that cannot be mistaken for English, a third longer and in brackets: what
 * shows without brackets is not translated, what breaks the layout will break in German.
 */
export function pseudo<C extends Record<string, string>>(catalog: C): C {
  const entries = Object.entries(catalog).map(([key, text]) => [key, `⟦${accented(text)}⟧`]);
  return Object.fromEntries(entries) as C;
}

const ACCENTS: Record<string, string> = { a: "á", e: "é", i: "í", o: "ó", u: "ú", c: "ç", n: "ñ", s: "š", y: "ý" };

function accented(text: string): string {
  // Placeholders with their plural forms stay as they are.
  const parts = text.split(/(\{[^}]*\})/);
  const changed = parts.map((part) => (part.startsWith("{") ? part : part.replace(/[aeiounscy]/g, (c) => ACCENTS[c] ?? c)));
  return changed.join("") + "·".repeat(Math.ceil(text.length / 3));
}
