import { ActionIcon, Button, Group, Menu, Modal, TextInput } from "@mantine/core";
import { IconArrowBackUp, IconDots, IconHistory, IconPencil } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "@/api/actions";
import { Refused } from "@/api/client";
import { workflowQuery } from "@/api/queries";
import { say } from "@/components/say";
import { useT } from "@/i18n";
import { useStudio } from "./store";
import { Versions } from "./Versions";
import type { OpenWorkflow } from "./workflow";

interface Props {
  workflow: OpenWorkflow;
  unsaved: boolean;
  onSaved(saved: Partial<OpenWorkflow>): void;
}

/** What is seldom done with a workflow as a whole. */
export function WorkflowMenu({ workflow, unsaved, onSaved }: Props) {
  const t = useT();
  const [shown, setShown] = useState<"name" | "versions">();
  const close = () => setShown(undefined);
  // As an edit: undo brings back what was typed.
  const discard = () => {
    useStudio.getState().editor?.replaceAll(workflow.source);
    useStudio.setState({ layout: workflow.layout });
  };
  return (
    <>
      <Menu position="bottom-start">
        <Menu.Target>
          <ActionIcon size={26} aria-label={t("studio.more")}>
            <IconDots size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {workflow.path === undefined && (
            <Menu.Item leftSection={<IconPencil size={15} />} onClick={() => setShown("name")}>
              {t("studio.rename")}
            </Menu.Item>
          )}
          {workflow.id !== undefined && (
            <Menu.Item leftSection={<IconHistory size={15} />} onClick={() => setShown("versions")}>
              {t("versions.title")}
            </Menu.Item>
          )}
          <Menu.Item leftSection={<IconArrowBackUp size={15} />} disabled={!unsaved} onClick={discard}>
            {t("studio.discard")}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={shown === "name"} onClose={close} title={t("studio.rename")}>
        <Name workflow={workflow} onSaved={onSaved} onClose={close} />
      </Modal>
      <Modal opened={shown === "versions"} onClose={close} title={t("versions.title")} size="90%">
        {workflow.id !== undefined && <Versions id={workflow.id} onClose={close} />}
      </Modal>
    </>
  );
}

interface NameProps {
  workflow: OpenWorkflow;
  onSaved(saved: Partial<OpenWorkflow>): void;
  onClose(): void;
}

function Name({ workflow, onSaved, onClose }: NameProps) {
  const t = useT();
  const client = useQueryClient();
  const [text, setText] = useState(workflow.name);
  const [busy, setBusy] = useState(false);
  const rename = async () => {
    const name = text.trim();
    if (name === "" || busy) return;
    setBusy(true);
    try {
      if (workflow.id === undefined) onSaved({ name });
      else {
        const fresh = await api.changeWorkflow(workflow.id, { name });
        client.setQueryData(workflowQuery(fresh.id).queryKey, (old) => (old ? { ...old, name, version: fresh.version } : old));
        void client.invalidateQueries({ queryKey: ["workflows"] });
        onSaved({ name, version: fresh.version });
      }
      onClose();
    } catch (error) {
      say.trouble(error instanceof Refused ? error.message : t("error.unreachable"));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void rename();
      }}
    >
      <TextInput
        data-autofocus
        label={t("common.name")}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        // While an input method composes, Enter chooses a character.
        onKeyDown={(event) => event.key === "Enter" && event.nativeEvent.isComposing && event.preventDefault()}
      />
      <Group justify="flex-end" mt="md">
        <Button variant="default" onClick={onClose}>
          {t("common.cancel")}
        </Button>
        <Button type="submit" loading={busy} disabled={text.trim() === ""}>
          {t("studio.rename")}
        </Button>
      </Group>
    </form>
  );
}
