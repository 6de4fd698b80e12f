import { Button, Popover, TextInput, UnstyledButton } from "@mantine/core";
import { IconBraces, IconPlus, IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { nodeTypesQuery } from "@/api/queries";
import type { NodeType } from "@/api/types";
import { useT } from "@/i18n";
import { lookOf } from "../model/picture";
import { LOOK } from "../nodes/look";
import classes from "./panels.module.css";

interface Props {
  open: boolean;
  onOpen(open: boolean): void;
  onAdd(type: NodeType | undefined): void;
}

/** The palette: every kind of node, found by a few letters and added with Enter. */
export function AddNode({ open, onOpen, onAdd }: Props) {
  const t = useT();
  return (
    <Popover opened={open} onChange={onOpen} position="bottom-start" shadow="md" width={320} trapFocus returnFocus>
      <Popover.Target>
        <Button
          variant="default"
          leftSection={<IconPlus size={15} />}
          onClick={() => onOpen(!open)}
          className={classes.add}
          rightSection={<kbd className={classes.key}>A</kbd>}
        >
          {t("canvas.add")}
        </Button>
      </Popover.Target>
      <Popover.Dropdown p={0} aria-label={t("canvas.add")}>
        <Palette
          onAdd={(type) => {
            onOpen(false);
            onAdd(type);
          }}
        />
      </Popover.Dropdown>
    </Popover>
  );
}

function Palette({ onAdd }: { onAdd(type: NodeType | undefined): void }) {
  const t = useT();
  const types = useQuery(nodeTypesQuery()).data ?? [];
  const [search, setSearch] = useState("");
  const list = useRef<HTMLDivElement>(null);
  const wanted = search.trim().toLowerCase();
  const fits = (name: string, summary: string) => `${name} ${summary}`.toLowerCase().includes(wanted);
  const found = types.filter((type) => fits(type.name, type.summary));
  const withFunction = fits("function python", t("canvas.addFunction"));
  const focus = (by: number) => {
    const buttons = [...(list.current?.querySelectorAll("button") ?? [])];
    buttons[Math.max(0, Math.min(buttons.length - 1, buttons.indexOf(document.activeElement as HTMLButtonElement) + by))]?.focus();
  };
  return (
    <div
      onKeyDown={(event) => {
        if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
        event.preventDefault();
        focus(event.key === "ArrowDown" ? 1 : -1);
      }}
    >
      <TextInput
        data-autofocus
        variant="unstyled"
        size="md"
        px="sm"
        leftSection={<IconSearch size={16} />}
        aria-label={t("canvas.searchNodes")}
        placeholder={t("canvas.searchNodes")}
        value={search}
        onChange={(event) => setSearch(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.nativeEvent.isComposing) return;
          if (withFunction && (wanted === "" || found.length === 0)) onAdd(undefined);
          else if (found[0]) onAdd(found[0]);
        }}
      />
      <div ref={list} className={classes.palette}>
        {withFunction && <Choice icon={IconBraces} name={t("node.function")} summary={t("canvas.addFunction")} onChoose={() => onAdd(undefined)} />}
        {found.map((type) => (
          <Choice
            key={type.name}
            icon={LOOK[lookOf(type.name)].icon}
            name={type.name}
            summary={type.summary}
            onChoose={() => onAdd(type)}
          />
        ))}
        {!withFunction && found.length === 0 && <p className={classes.nothing}>{t("palette.nothing")}</p>}
      </div>
    </div>
  );
}

function Choice(props: { icon: typeof IconBraces; name: string; summary: string; onChoose(): void }) {
  const { icon: Icon, name, summary, onChoose } = props;
  return (
    <UnstyledButton className={classes.choice} onClick={onChoose}>
      <Icon size={17} stroke={1.6} aria-hidden />
      <span>
        <span className={classes.choiceName}>{name}</span>
        <span className={classes.choiceText}>{summary}</span>
      </span>
    </UnstyledButton>
  );
}
