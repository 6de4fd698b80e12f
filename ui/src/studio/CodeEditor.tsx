import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useRef } from "react";
import type { Diagnostic } from "@/api/spec";
import { useT } from "@/i18n";
import classes from "./CodeEditor.module.css";
import type { TextEditor } from "./editor";
import { monaco } from "./monaco";

interface Props {
  /** The text to begin with; later changes come through the handle. */
  initial: string;
  problems: Diagnostic[];
  onReady(editor: TextEditor | null): void;
  onText(text: string): void;
  /** The cursor was moved by the user; the offset counts UTF-16 units. */
  onCursor(offset: number): void;
}

type Editor = ReturnType<typeof monaco.editor.create>;

export default function CodeEditor(props: Props) {
  const t = useT();
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const scheme = useComputedColorScheme("light");
  const label = t("studio.code");

  useEffect(() => {
    const made = monaco.editor.create(host.current!, {
      value: latest.current.initial,
      language: "python",
      ariaLabel: label,
      automaticLayout: true,
      fontFamily: "var(--font-code)",
      fontSize: 13,
      lineHeight: 21,
      fontLigatures: false,
      minimap: { enabled: false },
      scrollBeyondLastLine: false,
      padding: { top: 14, bottom: 14 },
      lineNumbersMinChars: 3,
      lineDecorationsWidth: 14,
      renderLineHighlight: "line",
      smoothScrolling: false,
      overviewRulerBorder: false,
      hideCursorInOverviewRuler: true,
      stickyScroll: { enabled: false },
      guides: { indentation: true },
      bracketPairColorization: { enabled: false },
      unicodeHighlight: { ambiguousCharacters: false },
      fixedOverflowWidgets: true,
      tabSize: 4,
      insertSpaces: true,
    });
    editor.current = made;
    const handle = handleOf(made);
    const heard = [
      made.onDidChangeModelContent(() => latest.current.onText(made.getValue())),
      made.onDidChangeCursorPosition((event) => {
        const byUser = event.reason === monaco.editor.CursorChangeReason.Explicit || event.source === "keyboard";
        const model = made.getModel();
        if (byUser && model) latest.current.onCursor(model.getOffsetAt(event.position));
      }),
    ];
    latest.current.onReady(handle);
    return () => {
      latest.current.onReady(null);
      for (const listener of heard) listener.dispose();
      made.getModel()?.dispose();
      made.dispose();
    };
  }, [label]);

  useEffect(() => monaco.editor.setTheme(scheme === "dark" ? "weaver-dark" : "weaver-light"), [scheme]);

  useEffect(() => {
    const model = editor.current?.getModel();
    if (!model) return;
    const markers = props.problems.map((problem) => ({
      startLineNumber: problem.line,
      startColumn: unitColumn(model.getLineContent(Math.min(problem.line, model.getLineCount())), problem.column),
      endLineNumber: problem.end_line,
      endColumn: unitColumn(model.getLineContent(Math.min(problem.end_line, model.getLineCount())), problem.end_column),
      message: [problem.message, problem.help].filter(Boolean).join("\n"),
      code: problem.code,
      severity: SEVERITY[problem.severity],
    }));
    monaco.editor.setModelMarkers(model, "weaver", markers);
  }, [props.problems]);

  return <div ref={host} className={classes.editor} />;
}

const SEVERITY = {
  error: monaco.MarkerSeverity.Error,
  warning: monaco.MarkerSeverity.Warning,
  info: monaco.MarkerSeverity.Info,
};

/** The server counts characters, the editor counts UTF-16 units. */
function unitColumn(line: string, column: number): number {
  return [...line].slice(0, column - 1).join("").length + 1;
}

function handleOf(editor: Editor): TextEditor {
  const marks = editor.createDecorationsCollection();
  const model = () => editor.getModel()!;
  const range = (start: number, end: number) =>
    monaco.Range.fromPositions(model().getPositionAt(start), model().getPositionAt(end));
  return {
    text: () => editor.getValue(),
    reveal: (start, end) => {
      const place = range(start, end);
      marks.set([{ range: place, options: { isWholeLine: true, className: classes.linked, linesDecorationsClassName: classes.linkedEdge } }]);
      editor.revealRangeInCenterIfOutsideViewport(place);
    },
    goTo: (line, column) => {
      editor.setPosition({ lineNumber: line, column });
      editor.revealLineInCenterIfOutsideViewport(line);
      editor.focus();
    },
    apply: (edits) => {
      editor.pushUndoStop();
      editor.executeEdits("canvas", edits.map(({ start, end, text }) => ({ range: range(start, end), text, forceMoveMarkers: true })));
      editor.pushUndoStop();
    },
    replaceAll: (text) => {
      editor.pushUndoStop();
      editor.executeEdits("replace", [{ range: model().getFullModelRange(), text }]);
      editor.pushUndoStop();
    },
    undo: () => editor.trigger("canvas", "undo", null),
    redo: () => editor.trigger("canvas", "redo", null),
  };
}
