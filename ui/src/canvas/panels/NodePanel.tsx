import { ActionIcon, Button, Select, Switch, TextInput, Tooltip } from "@mantine/core";
import { IconPlayerPlay, IconTrash, IconX } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Panel } from "@xyflow/react";
import { useState } from "react";
import { nodeTypesQuery } from "@/api/queries";
import { type NodeSpec, START } from "@/api/spec";
import { useT } from "@/i18n";
import { graphAt, specAt } from "@/studio/place";
import { useStudio } from "@/studio/store";
import type { CanvasEdits } from "@/studio/useCanvasEdits";
import type { PlacedNode } from "../model/layout";
import { waysOf } from "../model/ways";
import { LOOK } from "../nodes/look";
import classes from "./panels.module.css";
import { SettingField } from "./SettingField";
import { WaysEditor } from "./WaysEditor";

/** What is selected, to change it: also the way to do with keys what a drag does. */
export function NodePanel({ edits, onClose }: { edits: CanvasEdits; onClose(): void }) {
  const node = useStudio((state) => state.nodes.find((node) => node.id === state.selected)?.data.node);
  if (!node || node.kind === "end") return null;
  const Shown = node.kind === "start" ? Entry : Whole;
  return (
    <Panel position="top-right" className={classes.panel}>
      <Shown key={node.id} node={node} edits={edits} onClose={onClose} />
    </Panel>
  );
}

interface Props {
  node: PlacedNode;
  edits: CanvasEdits;
  onClose(): void;
}

/** Where the graph begins. */
function Entry({ node, edits, onClose }: Props) {
  const t = useT();
  const graph = useStudio((state) => graphAt(state, node.id));
  const first = graph ? waysOf(graph, START).plain : [];
  return (
    <section aria-label={t("panel.entry")}>
      <header className={classes.panelHeader}>
        <IconPlayerPlay size={16} stroke={1.7} aria-hidden />
        <span className={classes.panelKind}>{t("panel.entry")}</span>
        <ActionIcon onClick={onClose} aria-label={t("common.close")} size={26}>
          <IconX size={15} />
        </ActionIcon>
      </header>
      <div className={classes.panelBody}>
        <Select
          size="xs"
          label={t("panel.first")}
          searchable
          allowDeselect={false}
          value={first.length === 1 ? first[0]! : null}
          placeholder={first.join(", ")}
          data={graph?.nodes.map((node) => node.name) ?? []}
          onChange={(target) => target && void edits.operate(node.id, { op: "set_entry", target })}
        />
        <WaysEditor id={node.id} edits={edits} hidesOnly />
      </div>
    </section>
  );
}

function Whole({ node, edits, onClose }: Props) {
  const t = useT();
  const { icon: Icon, label } = LOOK[node.kind];
  const spec = useStudio((state) => specAt(state, node.id));
  const breakpoints = useStudio((state) => state.breakpoints);
  const toggleBreakpoint = useStudio((state) => state.toggleBreakpoint);
  const run = useStudio((state) => state.run.nodes[node.id]);
  return (
    <section aria-label={t("panel.title", { name: node.name })}>
      <header className={classes.panelHeader}>
        <Icon size={16} stroke={1.7} aria-hidden />
        <span className={classes.panelKind}>{spec?.kind === "typed" ? spec.type : t(label)}</span>
        <Tooltip label={t("panel.delete")}>
          <ActionIcon onClick={() => void edits.remove([node.id])} aria-label={t("panel.delete")} size={26}>
            <IconTrash size={15} stroke={1.7} />
          </ActionIcon>
        </Tooltip>
        <ActionIcon onClick={onClose} aria-label={t("common.close")} size={26}>
          <IconX size={15} />
        </ActionIcon>
      </header>
      <div className={classes.panelBody}>
        {node.trouble && <p className={classes.warning}>{node.trouble}</p>}
        {run?.error?.message && <p className={classes.failure}>{run.error.message}</p>}
        <Name node={node} edits={edits} />
        {spec?.kind === "typed" && <Settings id={node.id} spec={spec} edits={edits} />}
        <WaysEditor id={node.id} edits={edits} />
        {node.parent === undefined && (
          <fieldset className={classes.stops}>
            <legend>{t("panel.stops")}</legend>
            {(["before", "after"] as const).map((when) => (
              <Switch
                key={when}
                size="xs"
                label={t(`panel.stop.${when}`)}
                checked={breakpoints[when].has(node.id)}
                onChange={() => toggleBreakpoint(when, node.id)}
              />
            ))}
          </fieldset>
        )}
      </div>
    </section>
  );
}

function Name({ node, edits }: { node: PlacedNode; edits: CanvasEdits }) {
  const t = useT();
  const [name, setName] = useState(node.name);
  const rename = async () => {
    const to = name.trim();
    if (to === "" || to === node.name) return setName(node.name);
    if (await edits.rename(node.id, to)) useStudio.getState().select(node.parent ? `${node.parent}/${to}` : to);
    else setName(node.name);
  };
  return (
    <TextInput
      size="xs"
      label={t("common.name")}
      value={name}
      onChange={(event) => setName(event.currentTarget.value)}
      onBlur={() => void rename()}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        if (event.key === "Enter") event.currentTarget.blur();
        if (event.key === "Escape") setName(node.name);
      }}
    />
  );
}

function Settings({ id, spec, edits }: { id: string; spec: NodeSpec & { kind: "typed" }; edits: CanvasEdits }) {
  const t = useT();
  const [all, setAll] = useState(false);
  const types = useQuery(nodeTypesQuery()).data ?? [];
  const type = types.find((type) => type.name === spec.type);
  const given = new Map(spec.settings.map((setting) => [setting.name, setting.value]));
  const settings = type?.settings ?? [];
  const first = settings.filter((setting) => setting.required || given.has(setting.name));
  const shown = all ? settings : first;
  return (
    <div className={classes.settings}>
      {shown.map((setting) => (
        <SettingField
          key={setting.name}
          setting={setting}
          value={given.get(setting.name)}
          onSet={(value) => edits.set(id, { [setting.name]: value ?? null })}
        />
      ))}
      {shown.length < settings.length && (
        <Button size="compact-xs" variant="subtle" ml={-8} onClick={() => setAll(true)}>
          {t("panel.moreSettings", { count: settings.length - shown.length })}
        </Button>
      )}
    </div>
  );
}
