import { Loader } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { executionSourceQuery, templatesQuery, workflowQuery } from "@/api/queries";
import { Trouble } from "@/components/Trouble";
import { useT } from "@/i18n";
import { studio } from "@/routes";
import { Studio } from "@/studio/Studio";
import { useStudio } from "@/studio/store";
import { useBase } from "@/studio/useOutsideChanges";
import { drafts, FIRST_SOURCE, type OpenWorkflow } from "@/studio/workflow";

/** The id of a workflow that is not saved yet. */
const NEW = "new";

export default function StudioPage() {
  const { id } = studio.useParams();
  return id === NEW ? <Draft /> : <Saved id={id} />;
}

function Saved({ id }: { id: string }) {
  const { data, error, refetch } = useQuery({ ...workflowQuery(id), refetchOnWindowFocus: false });
  if (error) return <Trouble error={error} retry={() => void refetch()} />;
  if (!data) return <Waiting />;
  const { name, file, source, script, layout, version, path } = data;
  const workflow: OpenWorkflow = {
    key: id,
    id,
    name,
    file,
    source: source ?? "",
    script: script ?? undefined,
    layout: layout ?? {},
    version,
    path: path ?? undefined,
  };
  return <Opened key={workflow.key} workflow={workflow} />;
}

function Draft() {
  const t = useT();
  const { template, run } = studio.useSearch();
  const { data, error, refetch } = useQuery({ ...templatesQuery(), enabled: template !== undefined });
  // A run of a text that was never saved brings its own. One that is started here is of the text that is open.
  const [first] = useState(template === undefined ? run : undefined);
  const ofRun = useQuery({ ...executionSourceQuery(first ?? ""), enabled: first !== undefined });
  if (first !== undefined) {
    if (ofRun.error) return <Trouble error={ofRun.error} retry={() => void ofRun.refetch()} />;
    if (!ofRun.data) return <Waiting />;
    const { file, source, script } = ofRun.data;
    const name = file.replace(/\.py$/, "");
    return <Opened key={first} workflow={{ key: `run.${first}`, name, file, source, script: script ?? undefined, layout: {} }} />;
  }
  if (error) return <Trouble error={error} retry={() => void refetch()} />;
  if (template !== undefined && !data) return <Waiting />;
  const found = data?.items.find((item) => item.id === template);
  const workflow: OpenWorkflow = found
    ? {
        key: `template.${found.id}`,
        name: found.title,
        file: `${found.id}.py`,
        source: found.source,
        script: found.script ?? undefined,
        input: found.input as Record<string, unknown>,
        layout: {},
      }
    : { key: NEW, name: t("studio.untitled"), file: "workflow.py", source: FIRST_SOURCE, layout: {}, input: { name: "Ada" } };
  return <Opened key={workflow.key} workflow={workflow} />;
}

/** Puts the workflow into the store before anything draws it. */
function Opened({ workflow }: { workflow: OpenWorkflow }) {
  const { run } = studio.useSearch();
  const [opened, setOpened] = useState<string>();
  const { base, onSaved } = useBase(workflow, opened === workflow.key);
  useEffect(() => {
    useStudio.getState().open(workflow.file, drafts.of(workflow.key) ?? workflow.source, workflow.layout);
    setOpened(workflow.key);
    // Another text of the same workflow does not replace what is being typed.
  }, [workflow.key]);
  return opened === workflow.key ? <Studio workflow={base} runId={run} onSaved={onSaved} /> : <Waiting />;
}

function Waiting() {
  const t = useT();
  return (
    <div style={{ display: "grid", placeItems: "center", flex: 1 }}>
      <Loader size="sm" aria-label={t("common.loading")} />
    </div>
  );
}
