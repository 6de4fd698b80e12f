import { expect, test } from "vitest";
import { ByteIndex } from "./bytes";

test("offsets of text in many scripts go both ways", () => {
  const text = "a = 'naïve' # 日本語 🧵 Zoë\n".repeat(60);
  const index = new ByteIndex(text);
  const encoder = new TextEncoder();
  for (let unit = 0; unit <= text.length; unit += 1) {
    const isHalf = unit > 0 && /[\ud800-\udbff]/.test(text[unit - 1] ?? "");
    if (isHalf) continue;
    const byte = encoder.encode(text.slice(0, unit)).length;
    expect(index.toByte(unit)).toBe(byte);
    expect(index.toUnit(byte)).toBe(unit);
  }
});

test("an offset past the end is the end", () => {
  expect(new ByteIndex("abc").toUnit(99)).toBe(3);
  expect(new ByteIndex("äbc").toUnit(99)).toBe(3);
});
