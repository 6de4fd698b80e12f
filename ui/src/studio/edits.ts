import { ByteIndex } from "@/util/bytes";

/** A replacement; offsets are UTF-16 units of the old text. */
export interface TextEdit {
  start: number;
  end: number;
  text: string;
}

/** Edits as the server gives them, in bytes of the old text. */
export function fromBytes(source: string, edits: { start: number; end: number; text: string }[]): TextEdit[] {
  const index = new ByteIndex(source);
  return edits.map(({ start, end, text }) => ({ start: index.toUnit(start), end: index.toUnit(end), text }));
}
