import { ActionIcon, Button, Select, TextInput, Tooltip } from "@mantine/core";
import { IconArrowsSplit2, IconPlus, IconX } from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import { END, START } from "@/api/spec";
import { useT } from "@/i18n";
import { newName } from "@/studio/additions";
import { graphAt, nameOf } from "@/studio/place";
import { useStudio } from "@/studio/store";
import type { CanvasEdits } from "@/studio/useCanvasEdits";
import { type Decision, DEFAULT_ROUTE, waysOf } from "../model/ways";
import { NameInput } from "./NameInput";
import classes from "./panels.module.css";

interface Props {
  /** The node whose ways out are changed. */
  id: string;
  edits: CanvasEdits;
  /** The arrow that is always gone along is shown elsewhere. */
  hidesOnly?: boolean;
}

/** Where a node leads: with keys all that a drag of an arrow does, and what decides between arrows. */
export function WaysEditor({ id, edits, hidesOnly = false }: Props) {
  const t = useT();
  const graph = useStudio((state) => graphAt(state, id));
  if (!graph) return null;
  const source = nameOf(id);
  const { plain, decisions } = waysOf(graph, source);
  const decide = () => {
    const taken = [...graph.nodes.map((node) => node.name), ...graph.branches.map((branch) => branch.name)];
    const targets = plain.length > 0 ? plain : [END];
    const routes = Object.fromEntries(targets.map((target) => [target === END ? "end" : target, target]));
    void edits.operate(
      id,
      // What was always gone along becomes what is chosen from.
      ...plain.map((target) => ({ op: "remove_edge" as const, source, target })),
      { op: "add_condition", source, new_function: newName(functionName(source), taken), routes },
    );
  };
  return (
    <fieldset className={classes.ways}>
      <legend>{t("panel.connect")}</legend>
      {(hidesOnly && plain.length === 1 ? [] : plain).map((target) => (
        <Way key={target} label={t("ways.remove", { name: target === END ? t("node.end") : target })} onRemove={() => void edits.operate(id, { op: "remove_edge", source, target })}>
          <Target
            id={id}
            label={t("panel.connect")}
            value={target}
            onChange={(to) => void edits.operate(id, { op: "redirect_edge", source, target, to_target: to }).then((done) => done && follow(id, to))}
          />
        </Way>
      ))}
      <Target
        id={id}
        label={t("panel.connectTo")}
        value={null}
        taken={plain}
        onChange={(target) => void edits.operate(id, { op: "add_edge", source, target })}
      />
      {decisions.map((decision) => (
        <Routes key={decision.branch ?? ""} id={id} decision={decision} edits={edits} />
      ))}
      {decisions.length === 0 && (
        <Button size="compact-xs" variant="subtle" ml={-8} style={{ alignSelf: "flex-start" }} leftSection={<IconArrowsSplit2 size={13} />} onClick={decide}>
          {t("ways.decide")}
        </Button>
      )}
    </fieldset>
  );
}

/** What a function or a typed node chooses from. */
function Routes({ id, decision, edits }: Props & { decision: Decision }) {
  const t = useT();
  const source = nameOf(id);
  const { branch, routes } = decision;
  const [fresh, setFresh] = useState("");
  return (
    <div className={classes.decision}>
      <p className={classes.decides}>
        <IconArrowsSplit2 size={14} aria-hidden />
        {branch === undefined ? t("ways.ownDecision") : t("ways.decision", { name: branch })}
        {branch !== undefined && (
          <Tooltip label={t("ways.removeDecision")}>
            <ActionIcon size={22} ml="auto" aria-label={t("ways.removeDecision")} onClick={() => void edits.operate(id, { op: "remove_condition", source, branch })}>
              <IconX size={13} />
            </ActionIcon>
          </Tooltip>
        )}
      </p>
      {routes.map(({ route, target }) => (
        <Way
          key={route}
          label={t("ways.remove", { name: route })}
          onRemove={() => void edits.operate(id, { op: "remove_branch", source, branch, route })}
        >
          <RouteName
            route={route}
            fixed={branch === undefined && route === DEFAULT_ROUTE}
            onRename={(to_route) => edits.operate(id, { op: "set_branch", source, branch, route, to_route })}
          />
          <Target
            id={id}
            label={t("ways.target", { name: route })}
            value={target}
            onChange={(to) => void edits.operate(id, { op: "set_branch", source, branch, route, target: to }).then((done) => done && follow(id, to))}
          />
        </Way>
      ))}
      <div className={classes.way}>
        <TextInput
          size="xs"
          aria-label={t("ways.newRoute")}
          placeholder={t("ways.newRoute")}
          value={fresh}
          onChange={(event) => setFresh(event.currentTarget.value)}
        />
        <Target
          id={id}
          label={t("ways.addRoute")}
          value={null}
          disabled={fresh.trim() === ""}
          onChange={(target) =>
            void edits.operate(id, { op: "add_branch", source, branch, route: fresh.trim(), target }).then((done) => done && setFresh(""))
          }
        />
        <IconPlus size={14} aria-hidden className={classes.faint} />
      </div>
    </div>
  );
}

function Way({ label, onRemove, children }: { label: string; onRemove(): void; children: ReactNode }) {
  return (
    <div className={classes.way}>
      {children}
      <Tooltip label={label}>
        <ActionIcon size={26} aria-label={label} onClick={onRemove}>
          <IconX size={14} />
        </ActionIcon>
      </Tooltip>
    </div>
  );
}

function RouteName({ route, fixed, onRename }: { route: string; fixed: boolean; onRename(to: string): Promise<boolean> }) {
  const t = useT();
  return <NameInput aria-label={t("ways.route")} readOnly={fixed} name={route} onRename={onRename} />;
}

interface TargetProps {
  id: string;
  label: string;
  value: string | null;
  taken?: string[];
  disabled?: boolean;
  onChange(target: string): void;
}

/** A node of the same graph, or its end. */
function Target({ id, label, value, taken = [], disabled, onChange }: TargetProps) {
  const t = useT();
  const graph = useStudio((state) => graphAt(state, id));
  const names = (graph?.nodes ?? []).map((node) => node.name).filter((name) => !taken.includes(name) && name !== START);
  const ends = taken.includes(END) ? [] : [{ value: END, label: t("node.end") }];
  return (
    <Select
      size="xs"
      aria-label={label}
      placeholder={label}
      searchable
      allowDeselect={false}
      disabled={disabled}
      value={value}
      data={[...names.map((name) => ({ value: name, label: name })), ...ends]}
      onChange={(target) => target && target !== value && onChange(target)}
      comboboxProps={{ withinPortal: true }}
    />
  );
}

/** An arrow that was led elsewhere has another id, and stays selected. */
function follow(id: string, target: string) {
  const { selected, select } = useStudio.getState();
  if (selected?.startsWith(`${id}→`)) select(`${id}→${id.slice(0, id.lastIndexOf("/") + 1)}${target}`);
}

/** A Python name for what decides behind a node. */
function functionName(source: string): string {
  const word = source === START ? "start" : source.replace(/\W+/g, "_").replace(/^(\d)/, "_$1");
  return `after_${word}`;
}
