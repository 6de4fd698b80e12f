import { useEffect, useRef } from "react";
import { monaco } from "./monaco";

/** Two texts beside each other, with their differences. */
export default function DiffView({ before, after }: { before: string; after: string }) {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const editor = monaco.editor.createDiffEditor(host.current!, {
      readOnly: true,
      automaticLayout: true,
      fontFamily: "var(--font-code)",
      fontSize: 12.5,
      renderOverviewRuler: false,
      minimap: { enabled: false },
      scrollBeyondLastLine: false,
    });
    const original = monaco.editor.createModel(before, "python");
    const modified = monaco.editor.createModel(after, "python");
    editor.setModel({ original, modified });
    const computed = editor.onDidUpdateDiff(() => editor.revealFirstDiff());
    return () => {
      computed.dispose();
      editor.dispose();
      original.dispose();
      modified.dispose();
    };
  }, [before, after]);
  return <div ref={host} style={{ height: "100%" }} />;
}
