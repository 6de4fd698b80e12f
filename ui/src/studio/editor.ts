import type { TextEdit } from "./edits";

/** The text editor as the rest of the Studio sees it; offsets are UTF-16 units. */
export interface TextEditor {
  text(): string;
  /** Shows a range and marks it, without taking the focus. */
  reveal(start: number, end: number): void;
  /** Takes the focus to a place. */
  goTo(line: number, column: number): void;
  /** Makes edits that undo takes back together. */
  apply(edits: TextEdit[]): void;
  replaceAll(text: string): void;
  undo(): void;
  redo(): void;
}
