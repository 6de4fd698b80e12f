/** The editor, without what the Studio does not use. Loaded only with the Studio's page. */
import "monaco-editor/features/find/register.js";
import "monaco-editor/features/bracketMatching/register.js";
import "monaco-editor/features/caretOperations/register.js";
import "monaco-editor/features/clipboard/register.js";
import "monaco-editor/features/comment/register.js";
import "monaco-editor/features/contextmenu/register.js";
import "monaco-editor/features/cursorUndo/register.js";
import "monaco-editor/features/diffEditor/register.js";
import "monaco-editor/features/folding/register.js";
import "monaco-editor/features/gotoError/register.js";
import "monaco-editor/features/gotoLine/register.js";
import "monaco-editor/features/hover/register.js";
import "monaco-editor/features/indentation/register.js";
import "monaco-editor/features/linesOperations/register.js";
import "monaco-editor/features/multicursor/register.js";
import "monaco-editor/features/smartSelect/register.js";
import "monaco-editor/features/toggleTabFocusMode/register.js";
import "monaco-editor/features/wordHighlighter/register.js";
import "monaco-editor/features/wordOperations/register.js";
import * as monaco from "monaco-editor/editor.js";
import EditorWorker from "monaco-editor/editor/editor.worker.js?worker";
import "monaco-editor/languages/definitions/python/register.js";

self.MonacoEnvironment = { getWorker: () => new EditorWorker() };

const light = { text: "1b1e25", quiet: "6f7480", keyword: "2b4587", string: "1c6b47", number: "8a4b12", type: "6a3a86" };
const dark = { text: "e0e2e8", quiet: "858c9a", keyword: "a3b8f2", string: "86cfa8", number: "e0b06a", type: "cdaee6" };

function define(name: string, base: "vs" | "vs-dark", ink: typeof light, surface: Record<string, string>) {
  monaco.editor.defineTheme(name, {
    base,
    inherit: true,
    rules: [
      { token: "", foreground: ink.text },
      { token: "comment", foreground: ink.quiet, fontStyle: "italic" },
      { token: "keyword", foreground: ink.keyword },
      { token: "string", foreground: ink.string },
      { token: "string.escape", foreground: ink.number },
      { token: "number", foreground: ink.number },
      { token: "tag", foreground: ink.type },
      { token: "type", foreground: ink.type },
      { token: "delimiter", foreground: ink.text },
    ],
    colors: surface,
  });
}

define("weaver-light", "vs", light, {
  "editor.background": "#fcfcfa",
  "editor.lineHighlightBackground": "#f4f4f1",
  "editor.lineHighlightBorder": "#00000000",
  "editorLineNumber.foreground": "#7a7f8a",
  "editorLineNumber.activeForeground": "#474c57",
  "editorGutter.background": "#fcfcfa",
  "editor.selectionBackground": "#cdd7ee",
  "editorIndentGuide.background1": "#ebebe6",
  "scrollbarSlider.background": "#1b1e2522",
});
define("weaver-dark", "vs-dark", dark, {
  "editor.background": "#191c23",
  "editor.lineHighlightBackground": "#1f232c",
  "editor.lineHighlightBorder": "#00000000",
  "editorLineNumber.foreground": "#737b8a",
  "editorLineNumber.activeForeground": "#b7bcc7",
  "editorGutter.background": "#191c23",
  "editor.selectionBackground": "#31426f",
  "editorIndentGuide.background1": "#262b35",
  "scrollbarSlider.background": "#e8e9ed22",
});

export { monaco };
