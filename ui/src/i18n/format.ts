export type Values = Record<string, string | number>;

/**
 * Fills `{name}` and chooses plurals: `{count, one=# step; other=# steps}`. A form
 * that a language lacks falls back to `other`.
 */
export function format(text: string, values: Values | undefined, locale: string): string {
  return text.replace(/\{(\w+)(?:, ([^}]*))?\}/g, (whole, name: string, forms: string | undefined) => {
    const value = values?.[name];
    if (value === undefined) return whole;
    const shown = typeof value === "number" ? new Intl.NumberFormat(locale).format(value) : value;
    if (forms === undefined) return shown;
    const byRule = new Map(forms.split("; ").map((form) => form.split(/=(.*)/s) as [string, string]));
    const rule = new Intl.PluralRules(locale).select(Number(value));
    return (byRule.get(rule) ?? byRule.get("other") ?? "").replaceAll("#", shown);
  });
}

/** The names that a text is filled with, sorted: the same in every language. */
export function placeholders(text: string): string[] {
  return [...text.matchAll(/\{(\w+)/g)].map((match) => match[1]!).sort();
}
