import { ActionIcon, Button, Group, Menu, Modal, Text } from "@mantine/core";
import { IconDots, IconPlus, IconRoute, IconTrash } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "@/api/actions";
import { Refused } from "@/api/client";
import { workflowPages } from "@/api/queries";
import type { Workflow } from "@/api/types";
import { LinkButton } from "@/components/LinkButton";
import { Loading } from "@/components/Loading";
import { say } from "@/components/say";
import { Trouble } from "@/components/Trouble";
import { useT } from "@/i18n";
import { workflows } from "@/routes";
import { Empty } from "@/ui/Empty";
import { type Column, List } from "@/ui/List";
import { PageFrame } from "@/ui/PageFrame";
import { SearchBox } from "@/ui/SearchBox";
import { TimeAgo } from "@/ui/TimeAgo";
import { path } from "@/util/path";

export default function WorkflowsPage() {
  const t = useT();
  const navigate = useNavigate();
  const { q } = workflows.useSearch();
  const { data, error, isPending, refetch, fetchNextPage, hasNextPage, isFetchingNextPage } = useInfiniteQuery(workflowPages(q));
  const items = data?.pages.flatMap((page) => page.items) ?? [];
  const [leaving, setLeaving] = useState<Workflow>();
  const columns: Column<Workflow>[] = [
    { label: t("common.name"), cell: (workflow) => workflow.name },
    { label: t("workflows.file"), cell: (workflow) => <code>{workflow.path ?? workflow.file}</code>, minor: true },
    { label: t("workflows.changed"), cell: (workflow) => <TimeAgo time={workflow.updated_at} />, width: "170px" },
    {
      label: t("common.actions"),
      width: "90px",
      end: true,
      cell: (workflow) => <Actions workflow={workflow} onDelete={() => setLeaving(workflow)} />,
    },
  ];
  const remove = async (workflow: Workflow) => {
    try {
      await api.removeWorkflow(workflow.id);
      setLeaving(undefined);
    } catch (error) {
      say.trouble(error instanceof Refused ? error.message : t("error.unreachable"));
    }
    void refetch();
  };
  return (
    <PageFrame
      title={t("nav.workflows")}
      lead={t("workflows.lead")}
      actions={
        <>
          <SearchBox
            label={t("workflows.search")}
            value={q}
            beside="buttons"
            onSearch={(q) => void navigate({ to: "/workflows", search: { q }, replace: true })}
          />
          <LinkButton to="/templates" variant="default">
            {t("home.fromTemplate")}
          </LinkButton>
          <LinkButton to="/workflows/$id" params={{ id: "new" }} leftSection={<IconPlus size={15} />}>
            {t("palette.new")}
          </LinkButton>
        </>
      }
    >
      {isPending && <Loading />}
      {error && <Trouble error={error} retry={() => void refetch()} />}
      {data && items.length === 0 && (
        <Empty
          icon={IconRoute}
          title={t(q ? "workflows.noneSuch" : "workflows.none")}
          text={q ? undefined : t("workflows.noneHint")}
          action={!q && <LinkButton to="/templates">{t("home.fromTemplate")}</LinkButton>}
        />
      )}
      {items.length > 0 && (
        <List
          label={t("nav.workflows")}
          items={items}
          columns={columns}
          keyOf={(workflow) => workflow.id}
          linkOf={(workflow) => path.workflow(workflow.id)}
        />
      )}
      {hasNextPage && (
        <Button mt="md" variant="default" loading={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {t("common.more")}
        </Button>
      )}
      <Modal opened={leaving !== undefined} onClose={() => setLeaving(undefined)} title={t("workflows.delete")}>
        <Text size="sm">{t("workflows.deleteText", { name: leaving?.name ?? "" })}</Text>
        <Group justify="flex-end" mt="lg">
          <Button variant="default" onClick={() => setLeaving(undefined)}>
            {t("common.cancel")}
          </Button>
          <Button color="madder" onClick={() => leaving && void remove(leaving)}>
            {t("common.delete")}
          </Button>
        </Group>
      </Modal>
    </PageFrame>
  );
}

function Actions({ workflow, onDelete }: { workflow: Workflow; onDelete(): void }) {
  const t = useT();
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon aria-label={`${t("common.actions")}: ${workflow.name}`} style={{ position: "relative", zIndex: 1 }}>
          <IconDots size={17} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item leftSection={<IconTrash size={15} />} onClick={onDelete}>
          {t("common.delete")}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
