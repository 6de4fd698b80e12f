import { expect, test } from "vitest";
import en from "./en";
import { format, placeholders } from "./format";
import ja from "./ja";
import { pseudo } from "./pseudo";
import zh from "./zh-CN";

const catalogs = { "zh-CN": zh, ja, pseudo: pseudo(en) };

test.each(Object.entries(catalogs))("%s has the keys and placeholders of English", (_, catalog) => {
  expect(Object.keys(catalog).sort()).toEqual(Object.keys(en).sort());
  for (const [key, text] of Object.entries(en)) {
    expect(placeholders(catalog[key as keyof typeof en]), key).toEqual(placeholders(text));
  }
});

test("nothing is left empty or in English by mistake", () => {
  for (const [name, catalog] of Object.entries({ "zh-CN": zh, ja })) {
    for (const [key, text] of Object.entries(catalog)) {
      expect(text.trim(), `${name} ${key}`).not.toBe("");
      const english = en[key as keyof typeof en];
      if (english.split(" ").length > 2) expect(text, `${name} ${key}`).not.toBe(english);
    }
  }
});

test("plurals follow the language", () => {
  const text = "{count, one=# step; other=# steps}";
  expect(format(text, { count: 1 }, "en")).toBe("1 step");
  expect(format(text, { count: 1200 }, "en")).toBe("1,200 steps");
  expect(format(text, { count: 1 }, "ja")).toBe("1 steps");
});
